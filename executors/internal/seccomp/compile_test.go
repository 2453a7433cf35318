package seccomp

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	profiles "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// call is a system call as a filter sees it.
type call struct {
	nr   int
	arch arch.AuditArch
	args [6]uint64
}

// run returns what a filter says to a call.
func run(t *testing.T, filter []byte, c call) uint32 {
	t.Helper()
	data := binary.LittleEndian.AppendUint32(nil, uint32(c.nr))
	data = binary.LittleEndian.AppendUint32(data, uint32(c.arch))
	data = binary.LittleEndian.AppendUint64(data, 0)
	for _, a := range c.args {
		data = binary.LittleEndian.AppendUint64(data, a)
	}
	var a uint32
	for pc := 0; ; pc++ {
		in := filter[8*pc:]
		code, jt, jf, k := binary.NativeEndian.Uint16(in), int(in[2]), int(in[3]), binary.NativeEndian.Uint32(in[4:])
		to := func(yes bool) {
			if yes {
				pc += jt
			} else {
				pc += jf
			}
		}
		switch code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = binary.LittleEndian.Uint32(data[k:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= k
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(k)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			to(a == k)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			to(a >= k)
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			to(a > k)
		case unix.BPF_RET | unix.BPF_K:
			return k
		default:
			t.Fatalf("instruction %d has the code %#x", pc, code)
		}
	}
}

const (
	eperm  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// TestDefaultProfile checks what docker's profile allows to the usual capabilities.
func TestDefaultProfile(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("has the numbers of x86-64")
	}
	profile, err := profiles.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}}}})
	if err != nil {
		t.Fatal(err)
	}
	filter, flags, err := Compile(profile)
	if err != nil || flags != unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW || len(filter)%8 != 0 || len(filter) > 8*1000 {
		t.Fatalf("a filter of %d bytes, flags %d: %v", len(filter), flags, err)
	}
	nr := func(name string, args ...uint64) call {
		c := call{nr: arch.X86_64.SyscallNames[name], arch: arch.X86_64.ID}
		copy(c.args[:], args)
		return c
	}
	for _, tt := range []struct {
		name string
		call call
		want uint32
	}{
		{"read", nr("read"), unix.SECCOMP_RET_ALLOW},
		{"the first and the last", nr("mseal"), unix.SECCOMP_RET_ALLOW},
		{"mount", nr("mount"), eperm},
		{"reboot", nr("reboot"), eperm},
		{"keyctl", nr("keyctl"), eperm},
		{"a call of a newer kernel", call{nr: 9999, arch: arch.X86_64.ID}, enosys},
		{"a thread", nr("clone", unix.CLONE_VM|unix.CLONE_THREAD), unix.SECCOMP_RET_ALLOW},
		{"a user namespace", nr("clone", unix.CLONE_NEWUSER), eperm},
		{"clone3", nr("clone3"), enosys},
		{"personality", nr("personality", 0), unix.SECCOMP_RET_ALLOW},
		{"another personality", nr("personality", 0x20008), unix.SECCOMP_RET_ALLOW},
		{"a strange personality", nr("personality", 1), eperm},
		{"a strange personality above", nr("personality", 1<<32), eperm},
		{"a socket", nr("socket", unix.AF_INET), unix.SECCOMP_RET_ALLOW},
		{"a socket to the hypervisor", nr("socket", unix.AF_VSOCK), eperm},
		{"i386", call{nr: arch.I386.SyscallNames["write"], arch: arch.I386.ID}, unix.SECCOMP_RET_ALLOW},
		{"i386 mount", call{nr: arch.I386.SyscallNames["mount"], arch: arch.I386.ID}, eperm},
		{"x32", call{nr: x32Bit, arch: arch.X86_64.ID}, unix.SECCOMP_RET_KILL_PROCESS},
		{"arm", call{nr: 1, arch: arch.ARM.ID}, unix.SECCOMP_RET_KILL_PROCESS},
	} {
		if got := run(t, filter, tt.call); got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.name, got, tt.want)
		}
	}
}

// TestConditions checks each operator around its value, in both halves.
func TestConditions(t *testing.T) {
	own, err := native()
	if err != nil {
		t.Skip(err)
	}
	const v = 5<<32 | 7
	values := []uint64{0, 7, 4<<32 | 9, v - 1, v, v + 1, 6 << 32, 1<<64 - 1}
	for op, holds := range map[specs.LinuxSeccompOperator]func(a uint64) bool{
		specs.OpEqualTo:      func(a uint64) bool { return a == v },
		specs.OpNotEqual:     func(a uint64) bool { return a != v },
		specs.OpGreaterThan:  func(a uint64) bool { return a > v },
		specs.OpGreaterEqual: func(a uint64) bool { return a >= v },
		specs.OpLessThan:     func(a uint64) bool { return a < v },
		specs.OpLessEqual:    func(a uint64) bool { return a <= v },
		specs.OpMaskedEqual:  func(a uint64) bool { return a&v == 1<<32|2 },
	} {
		arg := specs.LinuxSeccompArg{Index: 2, Op: op, Value: v, ValueTwo: 1<<32 | 2}
		one := specs.LinuxSeccompArg{Index: 0, Op: specs.OpEqualTo, Value: 1}
		two := specs.LinuxSeccompArg{Index: 0, Op: specs.OpEqualTo, Value: 2}
		for _, tt := range []struct {
			name string
			args []specs.LinuxSeccompArg
			want func(first, third uint64) bool
		}{
			{"alone", []specs.LinuxSeccompArg{arg}, func(_, a uint64) bool { return holds(a) }},
			{"together", []specs.LinuxSeccompArg{one, arg}, func(f, a uint64) bool { return f == 1 && holds(a) }},
			{"alternatives", []specs.LinuxSeccompArg{one, two, arg}, func(f, a uint64) bool { return f == 1 || f == 2 || holds(a) }},
		} {
			filter, _, err := Compile(&specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActErrno, Args: tt.args}},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []uint64{0, 1, 2} {
				for _, a := range values {
					got := run(t, filter, call{nr: own.SyscallNames["read"], arch: own.ID, args: [6]uint64{f, 0, a}})
					if want := tt.want(f, a); (got == eperm) != want {
						t.Errorf("%s %s: %d and %#x: got %#x, want an error: %t", op, tt.name, f, a, got, want)
					}
				}
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	for want, profile := range map[string]*specs.LinuxSeccomp{
		`action "SCMP_ACT_NOTIFY"`: {DefaultAction: specs.ActNotify},
		`action "x"`:               {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: "x"}}},
		`operator "x"`: {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
			Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "x"}},
		}}},
		`argument 6`: {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
			Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}},
		}}},
		`flag "x"`: {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"x"}},
	} {
		if _, _, err := Compile(profile); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
