// Package access lets callers of the API do what the rules of the config allow, and nothing
// else. A [Guard] is the [api.Access] of a host:
//
//	guard, err := access.New(cfg)
//	...
//	err = api.Serve(ctx, listener, h, api.Options{Access: guard})
//
// Root and the user that the host runs as may do everything. What others need for a request
// stands in one table, [Needs]. A route that is not there, or a parameter of a request that the
// table does not know, is for root alone: what is forgotten is refused.
//
// # Whose containers
//
// The record of a container has the user who made it. Without the word others in a rule, users
// reach their own containers only: they do not see, stop or enter any other, nor share its
// volumes, processes, memory or network. A container of which nobody knows who made it, such as
// one of an older host, is no user's own.
//
// # What was looked at is what is done
//
// A Guard writes into the request what it has found: the id of a container for its name, the
// backend, runtime and network for those left open, and the path without links of what is
// mounted. Whatever is renamed, reloaded or linked anew meanwhile does not matter.
//
// # Mounts
//
// What is mounted is looked up again whenever the container is started, by its path. So a path
// is allowed only if nobody but root and the host's user can change where it leads: none of the
// directories that it is in belongs to, or can be written by, anybody else. What is mounted
// itself may be anybody's. The files of the host itself are never mounted, whatever a rule says.
//
// # Rationale
//
// Why must one rule allow all of a request? What several rules allow is meant apart: devices on
// a sandboxed backend, and the plain one without. Together they would be devices on the plain
// one.
//
// Why no rules that deny? With them the order counts, and a rule that is missing allows. Here
// the worst that a mistake does is to refuse something.
//
// Why is not the directory opened, and mounted by its descriptor? A container is started again
// and again, by whichever host there is, and the mount itself is made by a runtime that takes
// paths. Between a check and the mount there would always be a moment in which a user can
// exchange a directory for a link.
//
// Why one table, and not a line at each route? It is what somebody reads who wants to know what
// a user can do, and it has to be read as a whole.
package access
