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
//	forbid_hooks  = false    # true refuses bundles with hooks, which run outside of containers
//	api {
//	  socket = "/run/davit/davit.sock"
//	  group  = "davit" # whose members are as powerful as the host's user, mostly root
//	  rules  = false   # true lets others than root do only what a rule allows
//	  tls { # optional: over TCP as well, for clients with a certificate that client_ca has signed
//	    listen      = "127.0.0.1:7443"
//	    certificate = "/etc/davit/tls/cert.pem"
//	    key         = "/etc/davit/tls/key.pem"
//	    client_ca   = "/etc/davit/tls/ca.pem"
//	  }
//	}
//	log {
//	  level  = "info"
//	  format = "text"
//	}
//	output {
//	  max_size = "256m" # of each stream of a container; the oldest goes first
//	}
//	retention {
//	  ended         = "720h" # containers that have ended longer ago are removed; "0" keeps them
//	  attempts_size = "512m" # of output that the earlier attempts of a container have together
//	}
//	defaults { # of containers that run a root file system; a backend may have its own
//	  no_new_privileges = false
//	  seccomp_profile   = "builtin" # or "unconfined", or a file
//	  network           = "none"    # or "host", or the name of a network, such as "default"
//	  ulimits           = { nofile = "65536:524288" }
//	}
//	network { # of containers that have an address
//	  enabled = true # false leaves the machine's network alone: there is only none and host
//	  ipv6    = false # true gives new networks IPv6, too, unless they say otherwise
//	  pool    = ["10.209.0.0/16", "192.168.208.0/20"] # of which new networks get a /24
//	}
//	network "lan" { # optional: one that plugins of CNI make, for containers with --network lan
//	  conflist    = "/etc/cni/net.d/lan.conflist"
//	  plugin_dirs = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"]
//	}
//	rule "ci" { # optional, with rules = true: what some users may do; see [Rule]
//	  groups   = ["builders"]
//	  allow    = ["run", "pull"]
//	  backends = ["main"]
//	}
//	default_backend = "main"
//
//	backend "main" {
//	  executor = "containerd"
//	  sha256   = "…" # optional: the digest that the executor's binary must have
//	  user     = "davit:davit" # optional: whom an executor that needs no root runs as
//	  start_timeout = "5m" # what a start may take; longer ones fail, and are undone
//	  image_store   = "host" # or "backend": run images that the backend has itself
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
// The executor declares what a config block and a runtime block may contain, so this is
// known only after its binary has been asked. [Load] and [Parse] therefore decode the
// host's own part and keep those blocks as they were written. [Backend.Decode] checks
// them against the executor's schemas and returns the JSON that is sent to the executor.
// The executor then reports its own findings with attribute paths, and [Backend.Resolve]
// maps those to places in the files.
//
// A program sets such a block to any value that encodes to a JSON object. It is checked
// in the same way.
//
// # Paths
//
// A relative state_dir, run_dir, executor_dirs, api socket, file of TLS or conflist, and so on, is relative to the directory
// of the file that has it. So an example can be run from anywhere. In a Config that a
// program fills in, these paths must be absolute.
//
// # Rationale
//
// Why are values literal, without variables, functions and operators? A config that
// means the same in every environment can be checked offline, and an error has one
// place. It also bounds the work. HCL's parser recurses once per bracket or sign, and
// overflows the stack of the whole process on a file of a few hundred KB. So nesting and
// operators are refused on the tokens, before the parser runs.
//
// Why is the host's part checked by an [executor.Schema] too? One checker means one
// wording of each message and one set of hints, whichever part of the file is wrong.
package config
