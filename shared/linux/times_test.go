package linux

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSetTimes sets the times of a file.
func TestSetTimes(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := SetTimes(int(f.Fd()), [2]unix.Timespec{{Sec: 1000}, {Sec: 2000, Nsec: 5}}); err != nil {
		t.Fatal(err)
	}
	if st, err := f.Stat(); err != nil || !st.ModTime().Equal(time.Unix(2000, 5)) {
		t.Errorf("got %v, %v", st, err)
	}
	if err := SetTimes(-1, [2]unix.Timespec{}); err == nil {
		t.Error("got no error of what is not open")
	}
}
