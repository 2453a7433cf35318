// Package containers manages the containers of a host: their records, and the state
// machine that each record goes through.
//
//	creating ─→ running ⇄ paused ─→ exited ─→ released ─→ (creating: the next attempt)
//	    └─────────────→ failed ←──────────┘
//
// Create, Start and restart policies put an attempt into creating. The backend's answer
// makes it running. The report of its end makes it exited, and the report that its
// output is complete makes it released, which is when users see it ended. A start that
// fails makes it failed. Whatever dies in between, reconcile goes on from the record and
// from what the backend lists.
//
// Every action on a container that runs goes through [Act].
//
// # Starts
//
// A start has the time that its user allows. Then it is given up: that is recorded, what
// there is of it is removed, and the attempt has failed. It is never repeated, since a
// hook that failed must not be run again. It is repeated only if its executor or its
// daemon went away meanwhile. An attempt whose start has ended maxDeaths executors is
// given up, too. Which of several that were being started has done it, nobody knows after
// the first time, so from then on each is started alone.
//
// A stop leaves a start the time that it leaves a process, and then cuts it short, as a
// forced removal does at once: the call is cancelled, and the executor undoes what it has
// made. What a user wants is recorded before a backend is asked. If the backend does not
// answer, that is done in the background or by the next reconcile, and the caller is told
// ([github.com/davit-run/davit/host/api.PendingError]).
//
// # Health
//
// A container with a health check is probed from the time that its backend says that it
// runs, by package health. A command is a further process of the attempt that has no record:
// its name says what it is, so that whatever a host that died has left of it is removed by
// the next reconcile. Only a change of the health is recorded.
//
// # Loss of the state
//
// Nothing that runs is killed for want of a record. A copy of each record and spec is kept
// beside the container's output. If the store is damaged, missing or an older one, Open
// makes the records again from the copies. What a backend has and the records do not is
// adopted when the backend is reconciled, with what the copy or else the backend knows.
package containers
