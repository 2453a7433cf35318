// Package doctor looks at a machine, and says what would keep davit from running containers on
// it, or would make that unsafe, and what to do.
//
// A check is one file with a variable that adds it to the table; see [add], and clock.go for an
// example. It sees the machine through a [Patient], so that tests can show it another one. A
// check changes nothing. What it may not read, it reports as [Unknown]: so a user who is not
// root sees what there is to see, and what there is not.
//
// # Rationale
//
// Why not just `davit validate --live`? That is about a config. This is about the machine
// under it, and also of use where there is no config yet, or no host that runs. What validate
// knows is one of the checks here.
//
// Why is a hole of a runtime with a distribution's version only a warning? Distributions fix
// holes and keep the version. Their changelog says which, where it is installed.
package doctor
