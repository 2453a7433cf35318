// Package config is the configuration of a davit host: which executors it loads,
// as which backends, with which runtimes, and where it keeps its files.
//
// A [Config] is a plain struct. Programs that embed the host fill it in; the
// daemon reads it from HCL files:
//
//	state_dir     = "/var/lib/davit"
//	run_dir       = "/run/davit"
//	executor_dirs = ["/usr/libexec/davit"]
//	cgroup        = "/davit" # in which executors get theirs; "off" for the host's own
//	api {
//	  socket = "/run/davit/davit.sock"
//	  group  = "davit"
//	}
//	log {
//	  level  = "info"
//	  format = "text"
//	}
//	output {
//	  max_size = "256m" # of each stream of a container; the oldest goes first
//	}
//	default_backend = "main"
//
//	backend "main" {
//	  executor = "containerd"
//	  sha256   = "…" # optional: the digest that the executor's binary must have
//	  user     = "davit:davit" # optional: whom an executor that needs no root runs as
//	  config {
//	    address = "/run/containerd/containerd.sock"
//	  }
//	  default_runtime = "runc"
//	  runtime "crun" {
//	    path = "/usr/bin/crun"
//	    options {
//	      systemd_cgroup = false
//	    }
//	  }
//	}
//
// Everything but a backend's executor may be left out. [Config.WithDefaults]
// says what applies then.
//
// # Two phases
//
// What a config block and a runtime block may hold is declared by the executor,
// and so is known only when its binary has been asked. [Load] and [Parse]
// therefore decode the host's own part and keep those bodies as they were
// written. [Backend.Decode] checks them against the executor's schemas and gives
// the JSON that crosses to the executor. What the executor itself then finds
// wrong comes back as attribute paths, and [Backend.Resolve] turns those into
// places in the files.
//
// A program gives such a body as any value that encodes to a JSON object. It
// passes through the same check.
//
// # Paths
//
// A relative state_dir, run_dir, executor_dirs or api socket means: relative to
// the directory of the file that says so. An example can thus be run from
// anywhere. In a Config that a program fills in, these paths must be absolute.
//
// # Rationale
//
// Why are values literal, without variables, functions and operators? A config
// that says the same to whoever reads it, whatever their environment, can be
// checked offline, and an error has one place. It also bounds the work: HCL's
// parser recurses once per bracket or sign and overflows the stack of the whole
// process on a file of a few hundred KB, so nesting and operators are refused on the
// tokens, before it runs.
//
// Why is the host's part checked by an [executor.Schema] too? One checker means
// one wording of each message and one set of hints, whichever part of the file
// is wrong.
package config
