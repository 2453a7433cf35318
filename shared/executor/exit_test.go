package executor

import (
	"syscall"
	"testing"
)

func TestExitInWords(t *testing.T) {
	for want, exit := range map[string]Exit{
		"exit code 0":                           {Code: new(0), Source: Observed, OOM: new(false)},
		"exit code 143 (terminated)":            {Code: new(143), Signal: syscall.SIGTERM, Source: Recovered},
		"exit code 137 (killed, out of memory)": {Code: new(137), Signal: syscall.SIGKILL, Source: Observed, OOM: new(true)},
		"lost: the machine was restarted":       *LostExit("the machine was restarted"),
		"lost: nobody knows the reason":         {},
	} {
		if got := exit.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if code, known := exit.ExitCode(); known != (exit.Code != nil) || known && code != *exit.Code {
			t.Errorf("%s: got the code %d, %t", want, code, known)
		}
	}
}
