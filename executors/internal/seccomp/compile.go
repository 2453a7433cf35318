package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxInstructions is what the kernel takes.
const maxInstructions = 4096

// knownArch returns the architectures of the machines that this program can run on.
func knownArch(name specs.Arch) *arch.Info {
	switch name {
	case specs.ArchX86_64:
		return arch.X86_64
	case specs.ArchX86:
		return arch.I386
	case specs.ArchAARCH64:
		return arch.AARCH64
	case specs.ArchARM:
		return arch.ARM
	}
	return nil
}

// native returns the architecture of this program.
func native() (*arch.Info, error) {
	switch runtime.GOARCH {
	case "amd64":
		return arch.X86_64, nil
	case "arm64":
		return arch.AARCH64, nil
	}
	return nil, fmt.Errorf("filters for the architecture %s are not supported", runtime.GOARCH)
}

// Compile returns the filter of a profile, as instructions of 8 bytes in the machine's
// byte order, and the flags with which seccomp(2) installs it.
func Compile(profile *specs.LinuxSeccomp) (filter []byte, flags uintptr, _ error) {
	own, err := native()
	if err != nil {
		return nil, 0, err
	}
	defaultAction, err := actionOf(profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		return nil, 0, err
	}
	if flags, err = flagsOf(profile.Flags); err != nil {
		return nil, 0, err
	}
	arches := []*arch.Info{own}
	for _, name := range profile.Architectures {
		if a := knownArch(name); a != nil && !slices.Contains(arches, a) {
			arches = append(arches, a)
		}
	}
	// The architecture is at 4. Each has a block of its own, behind a jump over it.
	program := []unix.SockFilter{load(4)}
	for _, a := range arches {
		block, err := compileArch(profile, a, defaultAction)
		if err != nil {
			return nil, 0, err
		}
		program = append(program,
			jump(unix.BPF_JEQ, uint32(a.ID), 1, 0),
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(block))})
		program = append(program, block...)
	}
	program = append(program, ret(unix.SECCOMP_RET_KILL_PROCESS))
	if len(program) > maxInstructions {
		return nil, 0, errors.New("it has more rules than the kernel takes")
	}
	for _, in := range program {
		filter = binary.NativeEndian.AppendUint16(filter, in.Code)
		filter = append(filter, in.Jt, in.Jf)
		filter = binary.NativeEndian.AppendUint32(filter, in.K)
	}
	return filter, flags, nil
}

func actionOf(action specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	data := uint32(unix.EPERM)
	if errno != nil {
		data = uint32(*errno) & unix.SECCOMP_RET_DATA
	}
	switch action {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	}
	return 0, fmt.Errorf("action %q is not supported", action)
}

// flagsOf returns the flags of a profile; without any, those of runc.
func flagsOf(flags []specs.LinuxSeccompFlag) (uintptr, error) {
	if flags == nil {
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil
	}
	var all uintptr
	for _, f := range flags {
		switch f {
		case specs.LinuxSeccompFlagLog:
			all |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			all |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC": // there is one thread
		default:
			return 0, fmt.Errorf("flag %q is not supported", f)
		}
	}
	return all, nil
}
