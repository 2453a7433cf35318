package api

import (
	"strconv"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/moby/sys/signal"
	"golang.org/x/sys/unix"
)

// duration is a time.Duration whose text is that of Go, such as 1m30s.
type duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return invalid("%q is not a duration such as 1m30s or 250ms", text)
	}
	*d = duration(v)
	return nil
}

// signalName is a signal whose text is its name, or its number if it has no name.
type signalName executor.Signal

// MarshalText implements encoding.TextMarshaler.
func (s signalName) MarshalText() ([]byte, error) {
	if name := unix.SignalName(executor.Signal(s)); name != "" {
		return []byte(name), nil
	}
	return []byte(strconv.Itoa(int(s))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *signalName) UnmarshalText(text []byte) error {
	sig, err := ParseSignal(string(text))
	*s = signalName(sig)
	return err
}

// maxSignal is the highest signal of Linux, SIGRTMAX.
const maxSignal = 64

// ParseSignal returns the signal of a name such as TERM or SIGTERM, or of a number.
func ParseSignal(text string) (executor.Signal, error) {
	sig, err := signal.ParseSignal(text)
	if err != nil {
		return 0, invalid("%q is not a signal; give a name such as TERM, or a number", text)
	}
	return sig, checkSignal(sig)
}

// checkSignal checks that the kernel knows a signal.
func checkSignal(sig executor.Signal) error {
	if sig < 1 || sig > maxSignal {
		return invalid("signal %d does not exist; signals go from 1 to %d", int(sig), maxSignal)
	}
	return nil
}
