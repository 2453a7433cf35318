package seccomp

import (
	"fmt"
	"maps"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// x32Bit is in the numbers of x32 calls, which come with the architecture of x86-64.
const x32Bit = 0x40000000

// rule is what happens to a system call if all its conditions hold.
type rule struct {
	action     uint32
	conditions []specs.LinuxSeccompArg
}

// rulesOf returns the rules of a profile by the numbers of system calls, in the order of
// the profile, and the highest number.
func rulesOf(profile *specs.LinuxSeccomp, a *arch.Info, defaultAction uint32) (map[int][]rule, int, error) {
	rules, highest := map[int][]rule{}, 0
	for _, call := range profile.Syscalls {
		action, err := actionOf(call.Action, call.ErrnoRet)
		if err != nil {
			return nil, 0, err
		}
		for _, name := range call.Names {
			nr, ok := a.SyscallNames[name]
			if !ok {
				continue
			}
			highest = max(highest, nr)
			if action == defaultAction {
				continue
			}
			for _, conditions := range alternatives(call.Args) {
				rules[nr] = append(rules[nr], rule{action, conditions})
			}
		}
	}
	return rules, highest, nil
}

// alternatives returns the conditions of a rule: all together, or each alone if several
// are for the same argument.
func alternatives(args []specs.LinuxSeccompArg) [][]specs.LinuxSeccompArg {
	seen := map[uint]bool{}
	for _, arg := range args {
		if seen[arg.Index] {
			var each [][]specs.LinuxSeccompArg
			for _, a := range args {
				each = append(each, []specs.LinuxSeccompArg{a})
			}
			return each
		}
		seen[arg.Index] = true
	}
	return [][]specs.LinuxSeccompArg{args}
}

// compileArch returns the code for the calls of one architecture.
func compileArch(profile *specs.LinuxSeccomp, a *arch.Info, defaultAction uint32) ([]unix.SockFilter, error) {
	rules, highest, err := rulesOf(profile, a, defaultAction)
	if err != nil {
		return nil, err
	}
	code := []unix.SockFilter{load(0)} // the number of the call
	if a == arch.X86_64 {
		code = append(code, jump(unix.BPF_JGE, x32Bit, 0, 1), ret(unix.SECCOMP_RET_KILL_PROCESS))
	}
	if defaultAction&^unix.SECCOMP_RET_DATA == unix.SECCOMP_RET_ERRNO {
		code = append(code, jump(unix.BPF_JGT, uint32(highest), 0, 1), ret(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)))
	}
	numbers := slices.Sorted(maps.Keys(rules))
	// Calls with conditions come first, each behind a jump over it.
	for _, nr := range numbers {
		if len(rules[nr][0].conditions) == 0 {
			continue
		}
		block, err := compileRules(rules[nr], defaultAction)
		if err != nil {
			return nil, err
		}
		code = append(code,
			jump(unix.BPF_JEQ, uint32(nr), 1, 0),
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(block))})
		code = append(code, block...)
	}
	// The others are in ranges of neighbours with the same action, in order.
	for i := 0; i < len(numbers); {
		first := rules[numbers[i]][0]
		if len(first.conditions) > 0 {
			i++
			continue
		}
		from, to := numbers[i], numbers[i]
		for i++; i < len(numbers) && numbers[i] == to+1; i++ {
			if r := rules[numbers[i]][0]; r.action != first.action || len(r.conditions) > 0 {
				break
			}
			to = numbers[i]
		}
		code = append(code,
			jump(unix.BPF_JGE, uint32(from), 1, 0), ret(defaultAction),
			jump(unix.BPF_JGT, uint32(to), 1, 0), ret(first.action))
	}
	return append(code, ret(defaultAction)), nil
}

// compileRules returns the code for the rules of one call. The first that holds counts.
func compileRules(rules []rule, defaultAction uint32) ([]unix.SockFilter, error) {
	var code []unix.SockFilter
	for _, r := range rules {
		var test []unix.SockFilter
		for _, condition := range slices.Backward(r.conditions) {
			c, err := compileCondition(condition, len(test)+1)
			if err != nil {
				return nil, err
			}
			test = append(c, test...)
		}
		code = append(append(code, test...), ret(r.action))
	}
	return append(code, ret(defaultAction)), nil
}

// compileCondition returns code that goes on at its end if a condition holds, and
// otherwise skips as many further instructions as otherwise says. Arguments have 64
// bits, and are looked at in halves.
func compileCondition(c specs.LinuxSeccompArg, otherwise int) ([]unix.SockFilter, error) {
	if c.Index > 5 {
		return nil, fmt.Errorf("a condition is for argument %d; there are 0 to 5", c.Index)
	}
	low := uint32(16 + 8*c.Index) // little-endian
	high := low + 4
	hi, lo := uint32(c.Value>>32), uint32(c.Value)
	// Jumps are written with the targets yes and no, and resolved at the end.
	const yes, no = 254, 255
	var code []unix.SockFilter
	switch c.Op {
	case specs.OpEqualTo:
		code = []unix.SockFilter{load(high), jump(unix.BPF_JEQ, hi, 0, no), load(low), jump(unix.BPF_JEQ, lo, yes, no)}
	case specs.OpNotEqual:
		code = []unix.SockFilter{load(high), jump(unix.BPF_JEQ, hi, 0, yes), load(low), jump(unix.BPF_JEQ, lo, no, yes)}
	case specs.OpMaskedEqual:
		and := func(mask uint64) unix.SockFilter {
			return unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: uint32(mask)}
		}
		code = []unix.SockFilter{
			load(high), and(c.Value >> 32), jump(unix.BPF_JEQ, uint32(c.ValueTwo>>32), 0, no),
			load(low), and(c.Value), jump(unix.BPF_JEQ, uint32(c.ValueTwo), yes, no),
		}
	case specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpLessThan, specs.OpLessEqual:
		more, less := uint8(yes), uint8(no)
		compare := unix.SockFilter{}
		switch c.Op {
		case specs.OpGreaterThan:
			compare = jump(unix.BPF_JGT, lo, yes, no)
		case specs.OpGreaterEqual:
			compare = jump(unix.BPF_JGE, lo, yes, no)
		case specs.OpLessThan:
			more, less, compare = no, yes, jump(unix.BPF_JGE, lo, no, yes)
		case specs.OpLessEqual:
			more, less, compare = no, yes, jump(unix.BPF_JGT, lo, no, yes)
		}
		code = []unix.SockFilter{load(high), jump(unix.BPF_JGT, hi, more, 0), jump(unix.BPF_JEQ, hi, 0, less), load(low), compare}
	default:
		return nil, fmt.Errorf("operator %q is not known", c.Op)
	}
	for i := range code {
		if code[i].Code&7 != unix.BPF_JMP {
			continue
		}
		rest := len(code) - i - 1
		for _, to := range []*uint8{&code[i].Jt, &code[i].Jf} {
			switch *to {
			case yes:
				*to = uint8(rest)
			case no:
				*to = uint8(rest + otherwise)
			}
		}
	}
	return code, nil
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func ret(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

func jump(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: yes, Jf: no, K: k}
}
