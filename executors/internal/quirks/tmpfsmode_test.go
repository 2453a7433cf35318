package quirks

import "testing"

func TestIgnoresTmpfsMode(t *testing.T) {
	for _, tt := range []struct {
		path, version string
		want          bool
	}{
		{"/usr/sbin/runc", "1.1.5+ds1", true},
		{"/usr/sbin/runc", "1.0.3", true},
		{"/usr/sbin/runc", "1.1.7", true},
		{"/usr/sbin/runc", "1.1.8", false},
		{"/usr/sbin/runc", "1.1.15", false},
		{"/opt/runc-1.5.2", "1.5.2", false},
		{"/usr/bin/runc", "1.0.0-rc95", true},
		{"/usr/bin/runc", "", false},
		{"/usr/bin/runc", "devel", false},
		{"/usr/bin/crun", "1.0.1", false},
	} {
		if got := IgnoresTmpfsMode(tt.path, tt.version); got != tt.want {
			t.Errorf("%s %s: got %t", tt.path, tt.version, got)
		}
	}
}
