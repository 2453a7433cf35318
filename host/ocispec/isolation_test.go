package ocispec_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// owned returns what this process has of some capabilities.
func owned(t *testing.T, numbers map[string]uintptr) []string {
	t.Helper()
	var names []string
	for name, n := range numbers {
		if has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, n, 0, 0, 0); err == nil && has == 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestCapabilities(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	usual := fromRootfs(t, rootfs, ocispec.Options{}).Process.Capabilities.Bounding
	if len(owned(t, map[string]uintptr{"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE})) < 2 {
		t.Skip("this process lacks the capabilities to give away")
	}
	with := func(set []string, more ...string) []string {
		set = slices.Concat(set, more)
		slices.Sort(set)
		return slices.Compact(set)
	}
	without := func(set []string, less ...string) []string {
		return slices.DeleteFunc(slices.Clone(set), func(c string) bool { return slices.Contains(less, c) })
	}
	all := fromRootfs(t, rootfs, ocispec.Options{CapAdd: []string{"ALL"}}).Process.Capabilities.Bounding
	if len(all) <= len(usual) || !slices.Contains(all, "CAP_SYS_ADMIN") && len(owned(t, map[string]uintptr{"x": unix.CAP_SYS_ADMIN})) > 0 {
		t.Errorf("ALL is %v", all)
	}
	for _, tt := range []struct {
		name      string
		add, drop []string
		want      []string
	}{
		{"nothing", nil, nil, usual},
		{"one more", []string{"net_admin", "CAP_SYS_PTRACE"}, nil, with(usual, "CAP_NET_ADMIN", "CAP_SYS_PTRACE")},
		{"one that is usual", []string{"CHOWN"}, nil, usual},
		{"one less", nil, []string{"cap_chown"}, without(usual, "CAP_CHOWN")},
		{"none", nil, []string{"all"}, []string{}},
		{"only one", []string{"NET_ADMIN"}, []string{"ALL"}, []string{"CAP_NET_ADMIN"}},
		{"all but one", []string{"ALL"}, []string{"CHOWN"}, without(all, "CAP_CHOWN")},
		{"both", []string{"NET_ADMIN"}, []string{"NET_ADMIN"}, usual},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fromRootfs(t, rootfs, ocispec.Options{CapAdd: tt.add, CapDrop: tt.drop}).Process.Capabilities
			for set, got := range map[string][]string{"bounding": c.Bounding, "effective": c.Effective, "permitted": c.Permitted} {
				if !slices.Equal(with(got), with(tt.want)) {
					t.Errorf("%s: got %v, want %v", set, got, tt.want)
				}
			}
			if len(c.Inheritable)+len(c.Ambient) > 0 {
				t.Errorf("inheritable %v and ambient %v, want none", c.Inheritable, c.Ambient)
			}
		})
	}
}

// TestCapabilitiesOfABundle drops what a bundle gives to programs of other users.
func TestCapabilitiesOfABundle(t *testing.T) {
	dir := bundle(t, `{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["x"],"cwd":"/","capabilities":{
		"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_KILL"],"inheritable":["CAP_KILL","CAP_CHOWN"],"ambient":["CAP_KILL"]}}}`)
	raw, err := ocispec.FromBundle(dir, ocispec.Options{CapDrop: []string{"KILL"}})
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	want := specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}, Effective: []string{}, Inheritable: []string{"CAP_CHOWN"}, Permitted: []string{}, Ambient: []string{}}
	if got := *spec.Process.Capabilities; !slices.Equal(got.Bounding, want.Bounding) || !slices.Equal(got.Inheritable, want.Inheritable) || len(got.Effective)+len(got.Permitted)+len(got.Ambient) > 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNamespaceModes(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	spec := fromRootfs(t, rootfs, ocispec.Options{PID: "host", IPC: "host", UTS: "host", Cgroupns: "private"})
	var kinds []string
	for _, n := range spec.Linux.Namespaces {
		kinds = append(kinds, string(n.Type))
	}
	slices.Sort(kinds)
	if want := []string{"cgroup", "mount", "network"}; !slices.Equal(kinds, want) {
		t.Errorf("namespaces are %v, want %v", kinds, want)
	}
	for _, m := range spec.Mounts {
		if (m.Destination == "/dev/shm" || m.Destination == "/dev/mqueue") && (m.Type != "bind" || m.Source != m.Destination) {
			t.Errorf("mount %+v, want the machine's", m)
		}
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if spec.Hostname != "" || !slices.Contains(spec.Process.Env, "HOSTNAME="+name) {
		t.Errorf("host name %q, environment %q; want the machine's", spec.Hostname, spec.Process.Env)
	}
}

func TestDevices(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	for _, tt := range []struct {
		value, path, access string
	}{
		{"/dev/zero", "/dev/zero", "rwm"},
		{"/dev/zero:/dev/nought", "/dev/nought", "rwm"},
		{"/dev/zero:r", "/dev/zero", "r"},
		{"/dev/zero:/dev/nought:mr", "/dev/nought", "mr"},
	} {
		d, err := ocispec.ParseDevice(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		linux := fromRootfs(t, rootfs, ocispec.Options{Devices: []ocispec.Device{d}}).Linux
		if len(linux.Devices) != 1 || linux.Devices[0].Path != tt.path || linux.Devices[0].Type != "c" || linux.Devices[0].Major != 1 || linux.Devices[0].Minor != 5 || *linux.Devices[0].FileMode != 0o666 {
			t.Errorf("%s: devices are %+v", tt.value, linux.Devices)
		}
		rules := linux.Resources.Devices
		if last := rules[len(rules)-1]; len(rules) != 2 || !last.Allow || last.Access != tt.access || *last.Major != 1 || *last.Minor != 5 {
			t.Errorf("%s: rules are %+v", tt.value, rules)
		}
	}
	for value, want := range map[string]string{
		"":                     `device "" is not of the form SOURCE[:TARGET][:ACCESS], such as /dev/fuse or /dev/sda:/dev/disk:r`,
		"/dev/zero:":           `device "/dev/zero:" is not of the form SOURCE[:TARGET][:ACCESS], such as /dev/fuse or /dev/sda:/dev/disk:r`,
		"/dev/zero:/a:rwm:x":   `device "/dev/zero:/a:rwm:x" is not of the form SOURCE[:TARGET][:ACCESS], such as /dev/fuse or /dev/sda:/dev/disk:r`,
		"zero":                 `device "zero" is not an absolute path`,
		"/dev/zero:/dev/a:rwx": `device "/dev/zero": access "rwx" is not known; use some of the letters r (read), w (write) and m (mknod)`,
		"/dev/zero:rr":         `target of the device "rr" is not an absolute path`,
	} {
		_, err := ocispec.ParseDevice(value)
		checkError(t, nil, err, want)
	}
	for source, want := range map[string]string{
		"/dev/nowhere": "no such file or directory",
		"/etc/passwd":  "it is no device",
		"/etc":         "the directory has no device",
	} {
		_, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"x"}, Devices: []ocispec.Device{{Source: source}}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), source) {
			t.Errorf("%s: got %v, want %q", source, err, want)
		}
	}
}

func TestPrivileged(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	spec := fromRootfs(t, rootfs, ocispec.Options{Privileged: true, CapDrop: []string{"CHOWN"}})
	if len(spec.Linux.MaskedPaths)+len(spec.Linux.ReadonlyPaths) > 0 {
		t.Errorf("hidden are %v and %v", spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths)
	}
	if rules := spec.Linux.Resources.Devices; len(rules) != 1 || !rules[0].Allow || rules[0].Type != "" || rules[0].Access != "rwm" {
		t.Errorf("device rules are %+v", rules)
	}
	if !slices.ContainsFunc(spec.Linux.Devices, func(d specs.LinuxDevice) bool { return d.Path == "/dev/null" }) {
		t.Errorf("devices are %+v", spec.Linux.Devices)
	}
	for _, m := range spec.Mounts {
		if strings.HasPrefix(m.Destination, "/sys") && slices.Contains(m.Options, "ro") {
			t.Errorf("mount %+v", m)
		}
	}
	if slices.Contains(spec.Process.Capabilities.Bounding, "CAP_CHOWN") {
		t.Error("what is dropped by name stays")
	}
}

// TestLimitsOfASpec sets limits, groups, sysctls and the size of /dev/shm.
func TestLimitsOfASpec(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	spec := fromRootfs(t, rootfs, ocispec.Options{
		MemoryBytes: 64 << 20, MemorySwap: 128 << 20, MemoryReservation: 32 << 20, CPUs: 1, CPUShares: 512, CPUSet: "0", BlkioWeight: 10,
		Groups: []string{"7", "log"}, Sysctls: map[string]string{"net.core.somaxconn": "9"}, ShmBytes: 1 << 20, User: "1:2",
	})
	r := spec.Linux.Resources
	if *r.Memory.Limit != 64<<20 || *r.Memory.Swap != 128<<20 || *r.Memory.Reservation != 32<<20 {
		t.Errorf("memory is %+v", *r.Memory)
	}
	if *r.CPU.Shares != 512 || r.CPU.Cpus != "0" || *r.CPU.Quota != 100_000 || *r.BlockIO.Weight != 10 {
		t.Errorf("CPU is %+v, block I/O %+v", *r.CPU, *r.BlockIO)
	}
	if u := spec.Process.User; u.UID != 1 || u.GID != 2 || !reflect.DeepEqual(u.AdditionalGids, []uint32{2, 7, 40}) {
		t.Errorf("user is %+v", u)
	}
	if spec.Linux.Sysctl["net.core.somaxconn"] != "9" || spec.Linux.Sysctl["net.ipv4.ip_unprivileged_port_start"] != "0" {
		t.Errorf("sysctls are %v", spec.Linux.Sysctl)
	}
	i := slices.IndexFunc(spec.Mounts, func(m specs.Mount) bool { return m.Destination == "/dev/shm" })
	if m := spec.Mounts[i]; !slices.Contains(m.Options, "size=1048576") || slices.Contains(m.Options, "size=65536k") || !slices.Contains(m.Options, "mode=1777") {
		t.Errorf("/dev/shm is %+v", m)
	}
}

// TestBadIsolation checks that what cannot be is refused, with the reason.
func TestBadIsolation(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	for want, o := range map[string]ocispec.Options{
		`capability "WINGS" is not known`:                             {CapAdd: []string{"WINGS"}},
		`capability "" is not known`:                                  {CapDrop: []string{""}},
		`namespace "mine" is not known; use private, host or contain`: {PID: "mine"},
		`"shareable" is not known; use private, host or container:NA`: {PID: "shareable"},
		`"container:a" is not known; use private or host`:             {UTS: "container:a"},
		`"container:" is not known; use private or host`:              {Cgroupns: "container:"},
		`use private, host, shareable, none or container:NAME`:        {IPC: "mine"},
		`"container:": the container is missing; write container:NAM`: {IPC: "container:"},
		`an init does not go with pid container:a`:                    {PID: "container:a", Init: true},
		`sysctl "kernel.sem" is another container's with ipc contain`: {Sysctls: map[string]string{"kernel.sem": "1"}, IPC: "container:a"},
		`a size of /dev/shm does not go with ipc container:a, which`:  {IPC: "container:a", ShmBytes: 1},
		`a size of /dev/shm does not go with ipc none`:                {IPC: "none", ShmBytes: 1},
		`a mount at /dev/shm does not go with ipc shareable`:          {IPC: "shareable", Mounts: []specs.Mount{{Destination: "/dev/shm/", Type: "tmpfs"}}},
		`host name "h" does not go with uts host`:                     {UTS: "host", Hostname: "h"},
		`sysctl "kernel.panic" would be changed for the whole`:        {Sysctls: map[string]string{"kernel.panic": "1"}},
		`sysctl "kernel/panic" would be changed for the whole`:        {Sysctls: map[string]string{"kernel/panic": "1"}},
		`sysctl "kernel.sem" is the machine's own with ipc host`:      {Sysctls: map[string]string{"kernel.sem": "1"}, IPC: "host"},
		`1 CPU shares are not possible`:                               {CPUShares: 1},
		`block I/O weight 9 is not possible`:                          {BlkioWeight: 9},
		`memory reservation of 67108864 bytes is above`:               {MemoryBytes: 32 << 20, MemoryReservation: 64 << 20},
		`CPUs "3-1" is not a list of numbers such as 0,1 or 0-3`:      {CPUSet: "3-1"},
		`CPUs "8191": the machine has `:                               {CPUSet: "8191"},
		`memory nodes "x" is not a list`:                              {MemSet: "x"},
		`does not go without a memory limit`:                          {MemorySwap: 64 << 20},
		`cannot be below the memory limit of 67108864 bytes`:          {MemoryBytes: 64 << 20, MemorySwap: 32 << 20},
		`group "nobodies" is not known in /etc/group`:                 {Groups: []string{"nobodies"}},
		`group "-1": ids go from 0 to`:                                {Groups: []string{"-1"}},
		`a size of /dev/shm does not go with ipc host`:                {IPC: "host", ShmBytes: 1},
		`a size of /dev/shm does not go with a mount of type bind`:    {ShmBytes: 1, Mounts: []specs.Mount{{Destination: "/dev/shm", Type: "bind", Source: "/", Options: []string{"rbind"}}}},
		`device "dev" is not an absolute path`:                        {Devices: []ocispec.Device{{Source: "dev"}}},
		`device "/dev/zero": access "x" is not known; use some of th`: {Devices: []ocispec.Device{{Source: "/dev/zero", Access: "x"}}},
	} {
		o.Args = []string{"x"}
		if got, err := ocispec.FromRootfs(rootfs, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %.100s, %v; want the error %q", got, err, want)
		}
	}
}

// TestSharedNamespaces looks at specs of containers that share processes and memory.
func TestSharedNamespaces(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	look := func(spec specs.Spec) (paths map[specs.LinuxNamespaceType]string, shm []specs.Mount) {
		paths = map[specs.LinuxNamespaceType]string{}
		for _, n := range spec.Linux.Namespaces {
			paths[n.Type] = n.Path
		}
		for _, m := range spec.Mounts {
			if m.Destination == "/dev/shm" {
				shm = append(shm, m)
			}
		}
		return paths, shm
	}
	bound := []specs.Mount{{Destination: "/dev/shm", Type: "bind", Source: "/run/shm/a", Options: []string{"bind", "nosuid", "noexec", "nodev"}}}
	for _, tt := range []struct {
		o        ocispec.Options
		pid, ipc string
		shm      []specs.Mount
	}{
		{ocispec.Options{IPC: "shareable", Shm: "/run/shm/a", ShmBytes: 1 << 20}, "", "", bound},
		{ocispec.Options{IPC: "container:a", PID: "container:b", Shm: "/run/shm/a"}, "container:b", "container:a", bound},
		{ocispec.Options{IPC: "none"}, "", "", nil},
	} {
		spec := fromRootfs(t, rootfs, tt.o)
		paths, shm := look(spec)
		if len(paths) != 6 || paths[specs.PIDNamespace] != tt.pid || paths[specs.IPCNamespace] != tt.ipc || !reflect.DeepEqual(shm, tt.shm) {
			t.Errorf("%+v: namespaces are %v, shared memory %+v", tt.o, paths, shm)
		}
		raw, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		raw, err = ocispec.Enter(raw, map[specs.LinuxNamespaceType]string{specs.PIDNamespace: "/proc/1/fd/2"})
		var entered specs.Spec
		if err := errors.Join(err, json.Unmarshal(raw, &entered)); err != nil {
			t.Fatal(err)
		}
		if paths, _ := look(entered); len(paths) != 6 || paths[specs.PIDNamespace] != "/proc/1/fd/2" || paths[specs.IPCNamespace] != tt.ipc {
			t.Errorf("%+v: entered namespaces are %v", tt.o, paths)
		}
	}
	if _, err := ocispec.Enter(json.RawMessage(`{"linux":`), map[specs.LinuxNamespaceType]string{specs.PIDNamespace: "/x"}); !errors.Is(err, executor.Internal) {
		t.Errorf("a spec that is none: got %v", err)
	}
}

func TestParseTmpfs(t *testing.T) {
	tmpfs := func(target string, options ...string) specs.Mount {
		return specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: target, Options: options}
	}
	for value, want := range map[string]any{
		"/run":                     tmpfs("/run", "noexec", "nosuid", "nodev"),
		"/run/:size=64m,mode=1777": tmpfs("/run", "noexec", "nosuid", "nodev", "size=64m", "mode=1777"),
		"/run:exec,ro,uid=5":       tmpfs("/run", "nosuid", "nodev", "exec", "ro", "uid=5"),
		"":                         `tmpfs "" is not of the form TARGET[:OPTIONS], such as /run:size=64m`,
		"run":                      `tmpfs "run": mount target "run" is not an absolute path`,
		"/":                        `tmpfs "/": mount target / would hide the whole rootfs; choose a directory below it`,
		"/run:size=":               `tmpfs "/run:size=": size "" is not a size; write it like 64m`,
		"/run:mode=9":              `tmpfs "/run:mode=9": mode "9" is not an octal mode; write it like 1777`,
		"/run:uid=x":               `tmpfs "/run:uid=x": uid "x" is not a number from 0 to 2147483647`,
		"/run:ro=1":                `tmpfs "/run:ro=1": option ro has no value`,
		"/run:bind":                `tmpfs "/run:bind": option "bind" is not known; use those of tmpfs(5), such as size=64m or mode=1777`,
	} {
		got, err := ocispec.ParseTmpfs(value)
		if text, ok := want.(string); ok {
			checkError(t, nil, err, text)
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v; want %+v", value, got, err, want)
		}
	}
}

// TestRuncIsolation looks from inside at what the options change.
func TestRuncIsolation(t *testing.T) {
	busybox := needRunc(t)
	rootfs := bundle(t, "") + "/rootfs"
	busyboxRootfs(t, rootfs, busybox)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	// A device that exists nowhere shows by its error who refuses it.
	nought := realTempDir(t) + "/nought"
	if err := unix.Mknod(nought, unix.S_IFCHR|0o666, int(unix.Mkdev(99, 99))); err != nil {
		t.Skip("no devices here: ", err)
	}
	for _, tt := range []struct {
		name, script, want string
		o                  ocispec.Options
	}{
		{"no capabilities", `grep CapEff /proc/self/status`, "CapEff:\t0000000000000000\n", ocispec.Options{CapDrop: []string{"ALL"}}},
		{"one capability", `grep CapEff /proc/self/status`, "CapEff:\t0000000000001000\n", ocispec.Options{CapDrop: []string{"ALL"}, CapAdd: []string{"NET_ADMIN"}}},
		{"privileged", `: > /proc/sys/net/core/somaxconn && ls /dev/full && [ "$(wc -c < /proc/interrupts)" -gt 0 ] && echo seen`, "/dev/full\nseen\n", ocispec.Options{Privileged: true}},
		{"device", `(: < /dev/nought); (: > /dev/nought); true`,
			"sh: can't open /dev/nought: No such device or address\nsh: can't create /dev/nought: Operation not permitted\n",
			ocispec.Options{Devices: []ocispec.Device{{Source: nought, Target: "/dev/nought", Access: "r"}}}},
		{"host's names", `hostname; [ $$ -gt 1 ] && echo process`, host + "\nprocess\n", ocispec.Options{PID: "host", UTS: "host"}},
		{"groups and settings", `id -G; cat /proc/sys/net/core/somaxconn; grep Cpus_allowed_list /proc/self/status`, "0 7 9\n77\nCpus_allowed_list:\t0\n",
			ocispec.Options{User: "0:0", Groups: []string{"7", "9"}, Sysctls: map[string]string{"net.core.somaxconn": "77"}, CPUSet: "0"}},
		{"shared memory", `grep /dev/shm /proc/mounts | tr ', ' '\n\n' | grep size`, "size=1024k\n", ocispec.Options{ShmBytes: 1 << 20}},
		{"host's shared memory", `grep -c ' /dev/shm ' /proc/mounts`, "1\n", ocispec.Options{IPC: "host"}},
		{"weights", `cat /sys/fs/cgroup/cpu.weight 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.shares`, "", ocispec.Options{CPUShares: 512, Cgroupns: "private"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Args, tt.o.Terminal = []string{"sh", "-c", "export PATH=/bin; " + tt.script}, new(false)
			raw, err := ocispec.FromRootfs(rootfs, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			out, err := run(t, raw)
			if tt.name == "weights" { // 512, or what runc makes of it in version 2
				if n := strings.TrimSpace(out); err != nil || n != "512" && n != "20" && n != "59" {
					t.Errorf("got %q, %v", out, err)
				}
			} else if err != nil || out != tt.want {
				t.Errorf("got %q, %v; want %q", out, err, tt.want)
			}
		})
	}
}
