package main

import (
	"bytes"
	"io"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/hashicorp/go-hclog"
)

// exitConfig is the exit code of a host whose config cannot be used, EX_CONFIG of
// sysexits(3). The unit does not start such a host again and again.
const exitConfig = 78

// toJournal writes lines to systemd's journal, which takes the priority of each from its
// beginning, see sd-daemon(3). What comes from elsewhere than the log is written with level.
type toJournal struct {
	w     io.Writer
	level hclog.Level
}

// inJournal reports whether stderr is connected to the journal of systemd.
func inJournal() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
}

// LevelWrite implements hclog.LevelWriter.
func (j toJournal) LevelWrite(level hclog.Level, text []byte) (int, error) {
	var lines bytes.Buffer
	for line := range bytes.Lines(text) {
		lines.WriteString(priority(level))
		lines.Write(line)
	}
	if _, err := j.w.Write(lines.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Write implements io.Writer. text has whole lines.
func (j toJournal) Write(text []byte) (int, error) { return j.LevelWrite(j.level, text) }

func priority(level hclog.Level) string {
	switch level {
	case hclog.Trace, hclog.Debug:
		return "<7>"
	case hclog.Warn:
		return "<4>"
	case hclog.Error:
		return "<3>"
	}
	return "<6>"
}
