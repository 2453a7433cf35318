// Package server is the process that answers what containers ask by DNS. It lives on when the
// host dies.
//
// Every program that imports the package can be one: it is, if [Command] has started it, and
// then its main is never reached. Its descriptors are:
//
//	0   ends with the host, if it is tied to that
//	1   gets a line as soon as it serves
//	2   its log
//	3   the lock of its directory, which it has for life
//
// Its working directory has the file [ZonesFile], which says what it answers to whom. It looks
// whether there is a new one before each answer; SIGHUP has it look for networks as well. It
// ends on SIGTERM, when the file is removed, and when for some seconds there is nobody who
// could ask.
//
// One that root starts becomes [User], who owns nothing, before it listens.
//
// # What it answers
//
// Who asks is known by the address. It gets the addresses of the containers on its networks,
// by their names, ids and aliases, in a changing order, and their names by their addresses.
// Everything else is asked of the name servers that it has of its own, or of those of the
// machine as they are at that moment, also of ones on the machine's loopback. Who is on
// internal networks only is told that nothing else exists. Nobody else gets an answer.
//
// # Rationale
//
// Why is a name without an address of the kind that is asked for not asked of others? A
// program that asks for both kinds would otherwise hear that there is no such name.
//
// Why does a name live for seconds only? A container that is made anew has another address.
package server
