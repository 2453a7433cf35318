package quirks

import (
	"errors"
	"strings"
	"testing"
)

// FuzzMessages checks that no text which others write is taken for one of a runtime's,
// or makes the executor panic: what a hook prints has something before or after it.
func FuzzMessages(f *testing.F) {
	for _, text := range []string{
		`exec: "foo": executable file not found in $PATH`, "container with given ID already exists", "ttrpc: closed",
		`OCI runtime create failed: runc create failed: exec: "/x\xff": permission denied: unknown`, "mkdir /run/io.containerd.runtime.v2.task/ns/cid: file exists", "",
	} {
		f.Add(text, "foo")
	}
	f.Add(`exec: "(": no such file or directory`, "(")
	f.Add("x", "\xff")
	f.Fuzz(func(t *testing.T, text, command string) {
		err := errors.New("OCI runtime create failed: error running hook #0: exit status 1, stdout: , stderr: " + text)
		if CommandNotFound(Plain(err.Error()), command) || CommandNotExecutable(Plain(err.Error()), command) || LeftByAnother(err, "cid") || BundleInTheWay(err, "cid") != "" || ShimClosed(err) {
			t.Errorf("%q and the command %q: a hook's text was taken for the runtime's", text, command)
		}
		// And nothing of it panics.
		_ = CommandNotFound(text, command) || CommandNotExecutable(text, command) || LeftByAnother(errors.New(text), "cid")
		_ = BundleInTheWay(errors.New(text), "cid")
		_ = InitCutOff([]byte(text))
		if plain := Plain(text); len(plain) > len(text) || !strings.Contains(text, plain) {
			t.Errorf("%q became %q", text, plain)
		}
	})
}
