package storm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// request is what POST /v1/containers takes.
func (s *storm) request(l *life) map[string]any {
	args := s.program(l, "--token", l.dir, "--lines", fmt.Sprint(l.lines), "--rate", fmt.Sprint(l.rate), "--code", fmt.Sprint(l.code))
	switch l.style {
	case steered, killed:
		args = append(args, "--steered")
	case absent:
		args[0] = "/bin/absent"
	}
	if l.net != nil {
		args = append(args, "--serve", fmt.Sprint(insidePort), "--names", strings.Join(l.net.sees, ","))
	}
	process := map[string]any{"args": args, "read_only": true}
	if !l.target.direct {
		process["mounts"] = []any{map[string]any{"destination": "/storm", "type": "bind", "source": l.dir, "options": []string{"rbind", "rprivate"}}}
	}
	request := map[string]any{
		"name": l.name(), "request_id": fmt.Sprintf("storm-%d-%d", s.seed, l.n),
		"backend": l.target.name, "runtime": l.runtime, "rootfs": s.site.rootfs, "process": process,
	}
	if l.checked {
		request["health_check"] = map[string]any{"command": s.program(l, "--check"), "interval": probeInterval.String(), "timeout": "30s"}
	}
	if l.net != nil {
		request["network"] = network
		request["publish"] = []any{map[string]any{"container_port": insidePort, "host_port": l.net.port}}
	}
	return request
}

// program returns the command line of the workload, which shares the files of a container
// with us.
func (s *storm) program(l *life, flags ...string) []string {
	if l.target.direct {
		return append([]string{filepath.Join(s.site.bin, workload)}, append(flags, "--dir", l.dir)...)
	}
	return append([]string{"/bin/" + workload}, flags...)
}

func (l *life) name() string { return fmt.Sprintf("storm-%d", l.n) }

// workload is the program that containers run.
const workload = "storm-workload"

// create asks for the container until there is an answer: the request's id makes
// sure that there is only one. It returns false if there is none.
func (s *storm) create(ctx context.Context, w *weather, l *life) bool {
	w.enters(ctx, l, phaseCreating)
	begin := time.Now()
	defer func() { s.took("create", l, begin) }()
	var v containerView
	var final error
	err := s.insist(ctx, func() error {
		err := s.site.client.call(ctx, "POST", "/containers", s.request(l), &v)
		if err != nil && s.lenient && s.hasFailed(ctx, l) {
			final = err
			return nil
		}
		return err
	})
	if err = errors.Join(err, final); err != nil {
		s.refusal(ctx, w, l, err)
		return false
	}
	l.id = v.ID
	return true
}

// hasFailed reports whether the host could not start a container.
func (s *storm) hasFailed(ctx context.Context, l *life) bool {
	var v containerView
	err := s.site.client.call(ctx, "GET", "/containers/"+l.name(), nil, &v)
	return err == nil && v.State == "failed"
}

// refusal deals with a create that was refused: there must be a reason, and
// nothing may run.
func (s *storm) refusal(ctx context.Context, w *weather, l *life, reason error) {
	if ctx.Err() != nil {
		return
	}
	var v containerView
	err := s.insist(ctx, func() error {
		return s.site.client.call(ctx, "GET", "/containers/"+l.name(), nil, &v)
	})
	var status *statusError
	switch {
	case errors.As(err, &status) && status.Code == "not_found":
		s.report.bad(others, "%v was refused, without a record: %v", l, reason)
		return
	case err != nil:
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	l.id = v.ID
	s.known(l)
	if v.State != "failed" {
		s.report.bad(others, "%v was refused (%v), and is %s", l, reason, v.State)
	} else {
		s.failedStart(l, v.Error)
	}
	s.remove(ctx, w, l)
}

// failedStart judges a container in state failed.
func (s *storm) failedStart(l *life, reason string) {
	switch {
	case l.style == absent:
	case s.lenient || s.down(l.target) != l.downs:
		s.report.count(refused, 1)
		s.logf("%v was refused: %s", l, reason)
	default:
		s.report.bad(others, "%v could not be started although its containerd was not killed: %s", l, reason)
	}
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v failed to start, and runs: %v", l, left)
	}
}
