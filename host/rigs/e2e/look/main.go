// Look prints what a program finds where it runs, one "key: value" a line. It does not
// import package os, which raises the limit of open files.
package main

import (
	"fmt"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a process may see of itself, the kernel grants its first thread alone, where it
// does not compare processes but threads (timerslack_ns).
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // only there it is the first

func main() {
	status()
	limits()
	identity()
	mounts()
	devices()
	environment()
	descriptors()
	paths()
	calls() // last, since it changes the user
}

func put(key, value string) {
	line := key + ": " + strings.TrimSpace(value) + "\n"
	_, _ = syscall.Write(1, []byte(line))
}

func number[N ~int | ~int32 | ~int64 | ~uint32 | ~uint64](n N) string {
	return strconv.FormatInt(int64(n), 10)
}

// read returns a file, or how that failed.
func read(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "error: " + err.Error()
	}
	defer syscall.Close(fd)
	var all []byte
	b := make([]byte, 4096)
	for len(all) < 1<<20 {
		n, err := syscall.Read(fd, b)
		if err != nil {
			return "error: " + err.Error()
		}
		if n == 0 {
			break
		}
		all = append(all, b[:n]...)
	}
	return string(all)
}

func names(dir string) []string {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	var list []string
	b := make([]byte, 8192)
	for {
		n, err := syscall.ReadDirent(fd, b)
		if n <= 0 || err != nil {
			break
		}
		_, _, list = syscall.ParseDirent(b[:n], -1, list)
	}
	sort.Strings(list)
	return list
}

func link(path string) string {
	b := make([]byte, 4096)
	n, err := syscall.Readlink(path, b)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b[:n])
}

func status() {
	for line := range strings.SplitSeq(read("/proc/self/status"), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "TracerPid", "THP_enabled":
			value = strings.Join(strings.Fields(value), " ")
			if n, err := strconv.ParseUint(value, 16, 64); err == nil && key == "SigIgn" {
				// Signals 32 and 33 are the C library's own. Whoever was started by
				// posix_spawn, such as what make runs, has them ignored, and so have its
				// children.
				value = fmt.Sprintf("%016x", n&^(3<<31))
			}
			put("status."+key, value)
		}
	}
	for _, name := range []string{"oom_score_adj", "timerslack_ns", "coredump_filter", "personality"} {
		put("self."+name, read("/proc/self/"+name))
	}
	if fields := strings.Fields(read("/proc/self/stat")); len(fields) > 41 {
		pid := fields[0]
		put("self.nice", fields[18])
		put("self.policy", fields[40])
		put("self.leads its session", strconv.FormatBool(fields[5] == pid))
		put("self.leads its group", strconv.FormatBool(fields[4] == pid))
		put("self.is process 1", strconv.FormatBool(pid == "1"))
		put("self.has a terminal", strconv.FormatBool(fields[6] != "0"))
	}
	others := 0
	for _, name := range names("/proc") {
		if pid, err := strconv.Atoi(name); err == nil && pid != syscall.Getpid() {
			others++
		}
	}
	put("self.sees other processes", strconv.FormatBool(others > 0))
}

func limits() {
	for i, line := range strings.Split(strings.TrimSpace(read("/proc/self/limits")), "\n") {
		if i == 0 || len(line) < 66 {
			continue
		}
		put("limit."+strings.TrimSpace(strings.TrimPrefix(line[:26], "Max ")), strings.TrimSpace(line[26:47])+" "+strings.TrimSpace(line[47:66]))
	}
}

func identity() {
	var u unix.Utsname
	_ = unix.Uname(&u)
	put("host.name", unix.ByteSliceToString(u.Nodename[:]))
	put("host.domain", unix.ByteSliceToString(u.Domainname[:]))
	cwd, _ := syscall.Getwd()
	put("self.cwd", cwd)
	put("self.exe", link("/proc/self/exe"))
	for _, ns := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		put("namespace."+ns, link("/proc/self/ns/"+ns))
	}
	cgroups := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(read("/proc/self/cgroup")), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) == 3 {
			cgroups[f[2]] = true
		}
	}
	for path := range cgroups {
		put("self.cgroup", path)
	}
	for _, name := range []string{"net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range"} {
		put("sysctl."+name, strings.Join(strings.Fields(read("/proc/sys/"+name)), " "))
	}
	for _, name := range names("/sys/class/net") {
		flags, _ := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(read("/sys/class/net/"+name+"/flags")), "0x"), 16, 64)
		if name == "lo" {
			put("network.lo is up", strconv.FormatBool(flags&syscall.IFF_UP != 0))
		}
	}
}

func mounts() {
	groups := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(read("/proc/self/mountinfo")), "\n") {
		mount, system, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(system)
		if len(m) < 6 || len(s) < 3 {
			continue
		}
		var words []string
		for _, o := range m[6:] {
			word, _, _ := strings.Cut(o, ":")
			words = append(words, " "+word)
		}
		propagation := strings.Join(words, "")
		at, kind := m[4], s[0]
		switch {
		case strings.HasPrefix(at, "/sys/fs/cgroup"):
			if kind != "tmpfs" {
				groups[at] = "cgroup " + options(m[5]) + propagation
			}
			continue
		case at == "/" || strings.HasPrefix(at, "/etc/"):
			put("mount."+at, m[5][:2]+propagation) // the rest is the disk's
			continue
		}
		var super []string
		for o := range strings.SplitSeq(s[2], ",") {
			if name, _, ok := strings.Cut(o, "="); ok && (name == "size" || name == "mode" || name == "gid" || name == "ptmxmode") && at != "/proc" && !strings.HasPrefix(at, "/proc/") {
				super = append(super, " "+o)
			}
		}
		put("mount."+at, kind+" "+options(m[5])+strings.Join(super, "")+propagation)
	}
	all := map[string]bool{}
	for _, value := range groups {
		all[value] = true
	}
	for value := range all {
		put("mount./sys/fs/cgroup", value)
	}
}

// options returns the options of a mount in order.
func options(text string) string {
	list := strings.Split(text, ",")
	sort.Strings(list)
	return strings.Join(list, ",")
}

func devices() {
	for _, name := range names("/dev") {
		put("dev."+name, describe("/dev/"+name))
	}
}

func describe(path string) string {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return "error: " + err.Error()
	}
	mode := strconv.FormatUint(uint64(st.Mode&0o7777), 8) + " " + number(st.Uid) + ":" + number(st.Gid)
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFLNK:
		return "-> " + link(path)
	case syscall.S_IFDIR:
		return "directory " + mode
	case syscall.S_IFCHR:
		return "character " + number(unix.Major(st.Rdev)) + "," + number(unix.Minor(st.Rdev)) + " " + mode
	case syscall.S_IFREG:
		return "file " + mode
	}
	return "other " + mode
}

func environment() {
	for _, e := range syscall.Environ() {
		name, value, _ := strings.Cut(e, "=")
		put("env."+name, value)
	}
}

func descriptors() {
	for _, name := range names("/proc/self/fd") {
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil {
			continue // the directory that was read
		}
		to := link("/proc/self/fd/" + name)
		if strings.HasPrefix(to, "anon_inode:") || strings.HasPrefix(to, "/proc/") { // the Go runtime's
			continue
		}
		kind := map[uint32]string{syscall.S_IFIFO: "pipe", syscall.S_IFREG: "file", syscall.S_IFCHR: to, syscall.S_IFSOCK: "socket"}[st.Mode&syscall.S_IFMT]
		flags, _ := unix.FcntlInt(uintptr(fd), syscall.F_GETFL, 0)
		put("descriptor."+name, kind+" "+[]string{"read", "write", "both", "?"}[flags&syscall.O_ACCMODE]+map[bool]string{true: " append"}[flags&syscall.O_APPEND != 0])
	}
	for _, name := range []string{"stdin", "stdout", "stderr"} {
		fd, err := syscall.Open("/dev/"+name, map[bool]int{true: syscall.O_RDONLY, false: syscall.O_WRONLY}[name == "stdin"], 0)
		value := "opens"
		if err != nil {
			value = err.Error()
		} else {
			_ = syscall.Close(fd)
		}
		put("open./dev/"+name, value)
	}
}

func paths() {
	for _, name := range []string{"hostname", "hosts", "resolv.conf"} {
		put("file./etc/"+name, describe("/etc/"+name))
	}
	put("content./etc/hostname", read("/etc/hostname"))
	hosts := read("/etc/hosts")
	put("content./etc/hosts has localhost", strconv.FormatBool(strings.Contains(hosts, "localhost")))
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/interrupts", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware", "/proc/acpi"} {
		var st syscall.Stat_t
		if syscall.Stat(path, &st) != nil {
			continue
		}
		value := "has something"
		if st.Mode&syscall.S_IFMT == syscall.S_IFDIR && len(names(path)) == 0 || st.Mode&syscall.S_IFMT != syscall.S_IFDIR && syscall.Access(path, 4) == nil && st.Rdev != 0 {
			value = "is empty"
		}
		put("masked."+path, value)
	}
	for _, path := range []string{"/proc/sys/kernel/panic_on_oops", "/sys/x", "/proc/self/oom_score_adj", "/dev/shm/x", "/dev/x"} {
		fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT, 0o600)
		value := "can be written"
		if err != nil {
			value = err.Error()
		} else {
			_ = syscall.Close(fd)
		}
		put("write."+path, value)
	}
}

// calls makes system calls that a seccomp profile or a lack of privileges forbids, with
// arguments that are wrong in a way that is found later.
func calls() {
	try := func(name string, nr uintptr, args ...uintptr) {
		args = append(args, 0, 0, 0, 0, 0, 0)
		_, _, errno := syscall.RawSyscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5])
		value := "works"
		if errno != 0 {
			value = errno.Error()
		}
		put("call."+name, value)
	}
	none := uintptr(unsafe.Pointer(&[]byte("/no/such\x00")[0]))
	minus := ^uintptr(0)
	try("mount", unix.SYS_MOUNT, none, none, none)
	try("umount", unix.SYS_UMOUNT2, none)
	try("keyctl", unix.SYS_KEYCTL, 0, 0)
	try("bpf", unix.SYS_BPF, minus)
	try("perf_event_open", unix.SYS_PERF_EVENT_OPEN, 0, 0, minus, minus)
	try("setns", unix.SYS_SETNS, minus)
	try("clone3", unix.SYS_CLONE3, 0, 0)
	try("userfaultfd", unix.SYS_USERFAULTFD, minus)
	try("io_uring_setup", unix.SYS_IO_URING_SETUP, 0, 0)
	try("open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, minus)
	try("ptrace", unix.SYS_PTRACE, minus)
	try("chroot", unix.SYS_CHROOT, none)
	try("settimeofday", unix.SYS_SETTIMEOFDAY, 0, 0)
	try("syslog", unix.SYS_SYSLOG, 10)
	try("a call of no kernel", 4000)
	try("socket vsock", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM)
	try("socket raw", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	try("unshare user", unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	try("setgid", unix.SYS_SETRESGID, 1000, 1000, 1000)
	try("setuid", unix.SYS_SETRESUID, 1000, 1000, 1000)
	fd, _, _ := syscall.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
	addr := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Port: 80 << 8, Addr: [4]byte{127, 0, 0, 1}}
	try("user binds port 80", unix.SYS_BIND, fd, uintptr(unsafe.Pointer(&addr)), unsafe.Sizeof(addr))
	try("user pings", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP)
}
