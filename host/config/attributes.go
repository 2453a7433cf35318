package config

import "github.com/davit-run/davit/shared/executor"

// fileSchema declares the host's own part of a file. Backends are taken out
// before it is checked.
func fileSchema() executor.Schema {
	return executor.Schema{
		Attributes: []executor.Attribute{
			{Name: "state_dir", Type: executor.String, Description: "directory of what must survive a reboot"},
			{Name: "run_dir", Type: executor.String, Description: "directory of sockets, and of what need not survive one"},
			{Name: "executor_dirs", Type: executor.Strings, Description: "where programs davit-executor-NAME are looked for, in this order; without it, beside davit as well"},
			{Name: "cgroup", Type: executor.String, Description: "cgroup in which each executor has its own, or \"off\": they share the host's"},
			{Name: "forbid_hooks", Type: executor.Bool, Description: "refuse bundles with hooks, which run outside of the container, mostly as root"},
			{Name: "default_backend", Type: executor.String, Description: "backend of containers that name none; with one backend, that one"},
		},
		Blocks: []executor.Block{
			{Name: "api", Description: "the HTTP API", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "socket", Type: executor.String, Description: "path of its Unix socket; davit.sock in run_dir"},
				{Name: "group", Type: executor.String, Description: "group whose members may use it; they are as powerful as the host's user, mostly root, but with rules"},
				{Name: "rules", Type: executor.Bool, Description: "others than root may do what a rule allows, and nothing else"},
			}, Blocks: []executor.Block{
				{Name: "tls", Description: "the same API over TCP, for clients with a certificate; all four attributes are needed", Schema: executor.Schema{Attributes: []executor.Attribute{
					{Name: "listen", Type: executor.String, Description: "address and port, such as \"127.0.0.1:7443\""},
					{Name: "certificate", Type: executor.String, Description: "file with the host's certificate, in PEM"},
					{Name: "key", Type: executor.String, Description: "file with its private key, which others cannot read"},
					{Name: "client_ca", Type: executor.String, Description: "file with the CA that signs the certificates of clients; who has one is as powerful as the host's user, mostly root"},
				}}},
			}}},
			{Name: "log", Description: "the host's own log, on stderr", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "level", Type: executor.String, Description: "least severe level: trace, debug, info, warn, error or off"},
				{Name: "format", Type: executor.String, Description: "text or json"},
			}}},
			{Name: "output", Description: "what is kept of the output of containers", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "max_size", Type: executor.String, Description: "size of each stream, such as 256m, of which the oldest goes first; \"0\" keeps all"},
			}}},
			{Name: "retention", Description: "how long is kept what has ended", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "ended", Type: executor.String, Description: "duration after which an ended container is removed, such as 720h; \"0\" keeps it"},
				{Name: "attempts_size", Type: executor.String, Description: "output of all earlier attempts of a container together; \"0\" is no limit, and ten attempts are kept at most"},
			}}},
			{Name: "network", Description: "the networks of containers; a block with the name network \"NAME\" is a network of plugins of CNI, whose list conflist is, and plugin_dirs where they are", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "enabled", Type: executor.Bool, Description: "false leaves the machine's network alone: there is only none and host"},
				{Name: "ipv6", Type: executor.Bool, Description: "new networks that do not say otherwise have IPv6, too"},
				{Name: "pool", Type: executor.Strings, Description: "IPv4 subnets of which new networks get a /24"},
			}}},
			{Name: "metrics", Description: "figures for Prometheus; the API has them at /metrics without this", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "address", Type: executor.String, Description: "TCP address, such as \"127.0.0.1:9323\", at which they are served to everybody"},
				{Name: "labels", Type: executor.Strings, Description: "labels of containers that become labels of their figures"},
			}}},
			{Name: "debug", Description: "what helps to find faults of the host", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "pprof", Type: executor.Bool, Description: "the API serves profiles to root and the host's user"},
			}}},
			defaultsBlock("what containers have that run a root file system and do not ask for something else"),
			{Name: "backend"},
			{Name: "rule"},
		},
	}
}

// defaultsBlock declares the defaults of containers, of the host and of a backend.
func defaultsBlock(description string) executor.Block {
	return executor.Block{Name: "defaults", Description: description, Schema: executor.Schema{Attributes: []executor.Attribute{
		{Name: "no_new_privileges", Type: executor.Bool, Description: "programs get no privileges by a set-uid bit"},
		{Name: "seccomp_profile", Type: executor.String, Description: "allowed system calls: builtin, which is docker's and the default, unconfined, or the path of a profile"},
		{Name: "network", Type: executor.String, Description: "none, which is the default, host, or the name of a network, such as \"default\""},
		{Name: "ulimits", Type: executor.StringMap, Description: "limits by name, each SOFT[:HARD], where -1 is none; nofile is 65536:524288 unless set"},
	}}}
}

// backendSchema declares the host's own part of a backend. Runtimes and the
// config block are taken out before it is checked.
func backendSchema() executor.Schema {
	return executor.Schema{
		Attributes: []executor.Attribute{
			{Name: "executor", Type: executor.String, Description: "NAME of a program davit-executor-NAME"},
			{Name: "sha256", Type: executor.String, Description: "digest that the program must have"},
			{Name: "user", Type: executor.String, Description: "user that the executor runs as, USER or USER:GROUP; without it the host's"},
			{Name: "start_timeout", Type: executor.Duration, Description: "how long a start may take, its hooks included; 5m without it"},
			{Name: "image_store", Type: executor.String, Description: "where its containers' images are, unless they say: host, which is the default, or backend, for images that the backend has itself"},
			{Name: "default_runtime", Type: executor.String, Description: "runtime of containers that name none; without it the executor chooses"},
		},
		Blocks: []executor.Block{
			defaultsBlock("as defaults of the host, for containers of this backend"),
			{Name: "config", Description: "settings of the executor; `davit executors describe NAME` has them"},
			{Name: "runtime", Description: "a further runtime, with the name runtime \"NAME\"; `davit executors describe NAME` has its settings"},
		},
	}
}
