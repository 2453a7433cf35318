// Package storm kills davit for a while and checks that nothing is lost.
//
// It starts a host with backends on real containerds, keeps workloads running on
// all of their runtimes, and meanwhile kills the host, the executors and the
// containerds, alone and together, at random moments and in chosen phases of a
// container's life. Every container is checked as its user would see it, and at
// the end the machine is searched for what was left behind.
//
// The checks share no code with the host. They use the HTTP API and the command
// line as they are documented, and look at files and processes themselves.
//
// # Invariants
//
// A container that was created ends exactly once, with the code that its workload
// exited with. It is started once; process and start time stay the same. All
// lines that the workload's writes were acknowledged for are in its log once
// each, whole and in order. The journal of events has no gap, and tells of each
// step in a life once. When all containers are removed no process, mount, cgroup,
// socket, bundle, task or runtime state is left.
//
// Two outcomes are not violations but are counted. A create during which
// containerd is killed may be refused, and must then leave nothing. And
// containerd 2 deletes the exit of a container that ends while it is down: such
// an exit must be told as lost, never as a code.
package storm
