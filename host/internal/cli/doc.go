// Package cli is the command line of davit: its commands, and what they share.
//
// A command is one file with a variable that adds it to the table; see [Command], and
// pause.go for an example. Its place in help, and whether help lists it, are fields of
// the entry. Nothing else is edited.
//
// The commands here talk to a host, through package api, and are in both programs.
// Commands that need the host itself, such as serve and validate, are in cmd/davit-host.
//
// # Rationale
//
// Why two programs? A davit with the host in it is 19 MB. Its start, whatever the
// command, takes 4.2 times as long as that of an empty Go program (6.3 ms and 1.5 ms,
// medians of 300): page faults, and the initialization of gRPC, protobuf, HCL's types
// and gob before main. None of that can be delayed, since it is in packages of others.
// cmd/davit links only what talks to a host, 9 MB, and takes 2.3 times as long (3.4 ms).
// Nearly all of that is net/http, which is worth it; the commands take 0.05 ms.
//
// Why does davit-host have all commands, and not only those that davit lacks? So davit
// needs no list of the other's commands. For everything that it does not know, help and
// completion included, it becomes davit-host, in the same process. Users see one tool.
package cli
