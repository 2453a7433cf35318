package monitor

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Limit is a value for a file of a workload's cgroup in the hierarchy at Root.
type Limit struct{ Root, File, Value string }

// SetLimits sets limits of a workload that runs. The error is
// [executor.FailedPrecondition] if it has ended, and if the kernel refuses a value.
func SetLimits(dir string, limits []Limit) error {
	f, err := look(dir)
	if err != nil {
		return err
	}
	if f.Phase != Running {
		return errNotRunning()
	}
	var files []CgroupFile
	for _, l := range limits {
		for _, d := range f.cgroup.Dirs {
			if strings.HasPrefix(d.Path, l.Root+"/") {
				files = append(files, CgroupFile{Path: path.Join(d.Path, l.File), Value: l.Value})
			}
		}
	}
	if len(files) < len(limits) {
		return executor.Errorf(executor.Unsupported, "the workload has no cgroup of its own, which limits need")
	}
	err = setLimits(files)
	if errors.Is(err, fs.ErrNotExist) {
		return errNotRunning()
	}
	return err
}

// setLimits writes values. What is refused is tried again after the others: a limit that
// must not exceed another one comes after it when both rise, and before it when they fall.
func setLimits(files []CgroupFile) error {
	var again []CgroupFile
	for _, f := range files {
		if os.WriteFile(f.Path, []byte(f.Value), 0) != nil {
			again = append(again, f)
		}
	}
	for _, f := range again {
		if err := os.WriteFile(f.Path, []byte(f.Value), 0); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "limit of cgroup to %s: %w", f.Value, err)
		}
	}
	return nil
}
