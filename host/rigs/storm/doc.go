// Package storm does to davit all that can go wrong, and checks that nothing is
// lost.
//
// It starts a host with backends on real containerds and without one, and keeps
// workloads running on all of their runtimes. Meanwhile it does what its rows say:
// it kills hosts, executors, containerds and shims, alone and together and in each
// phase of a container's life, takes containerds away while containers exit, damages
// the store, visits every failpoint that a survey finds, and makes executors hang and
// lie. Every container is checked as its user would see it, and at the end the
// machine is searched for what was left behind.
//
// The checks share no code with davit. They use the HTTP API and the command line
// as they are documented, and look at files and processes themselves. What is
// stormed is built from davit's sources with the seams and the bugs of package
// overlay, where a row needs them.
//
// # Invariants
//
// A container that was created ends exactly once, with the code that its workload
// exited with. It is started once; process and start time stay the same. All
// lines that the workload's writes were acknowledged for are in its log once
// each, whole and in order. A container of an image has that image's files, and no
// others. The journal of events has no gap, and reports each step in a life once. When all containers are removed no process, mount, cgroup,
// socket, bundle, task or runtime state is left, and after more containers in calm
// weather no process has more descriptors, threads or goroutines. Each invariant has
// a deliberate bug (row bugs) by which the storm proves that it notices.
//
// One outcome is no violation but is counted: a create during which containerd is
// killed, or with which a backend is made to fail, may be refused, and must then
// leave nothing.
//
// # Rationale
//
// Why is a plan worked off, and not a time? The same counts are comparable between
// machines, and each phase of a container's life gets its share: a row with a phase
// below it fails. What is random is when in a phase a fault comes, and what is
// under way elsewhere.
//
// Why do most faults wait for some progress? Without that nothing ever
// gets done, and only the beginnings of things are hit. A quarter of the faults do
// not wait, and hit the recovery from the one before.
//
// Why is there a survey? Where davit can be struck follows from what passes its seams
// (see package failpoint), so it is looked at instead of listed. A few patterns hold
// that no seam is missed. A failpoint that was passed in most scenes must be hit, and
// of all visits no more than one in thirty may not come. Each is looked for in the
// plainest scene first.
//
// Why is the phase looked up when the fault comes? A container moves on while a fault
// is on its way. Whether it is being created or started shows in its bundle.
package storm
