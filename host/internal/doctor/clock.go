package doctor

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

var _ = add(90, "clock", lookAtClock)

// epoch is a time that has passed: a clock before it is wrong.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const synchronize = "run a time daemon, such as chrony or systemd-timesyncd"

func lookAtClock(_ context.Context, _ *Patient, r *report) {
	now := time.Now()
	if now.Before(epoch) {
		r.fail("set the clock; "+synchronize, "it is %s here, which is over: certificates of registries are refused, and times of events are wrong", now.UTC().Format(time.DateOnly))
		return
	}
	var t unix.Timex
	state, err := unix.Adjtimex(&t) // asks, and changes nothing
	switch {
	case err != nil:
		r.unread("the clock", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		r.warn(synchronize, "%s, by a clock that nothing keeps right", now.UTC().Format("2006-01-02 15:04 UTC"))
	default:
		r.ok("%s, kept right by a time daemon", now.UTC().Format("2006-01-02 15:04 UTC"))
	}
}
