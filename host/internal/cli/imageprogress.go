package cli

import (
	"fmt"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/docker/go-units"
)

// imageProgress shows on a terminal how far images have come, if it takes more than a
// second.
type imageProgress struct {
	statusLine
	// moved has what is fetched or pushed at once, by digest.
	moved map[string]api.Progress
}

func (a *App) imageProgress(quiet bool) *imageProgress {
	return &imageProgress{statusLine: a.statusLine(quiet), moved: map[string]api.Progress{}}
}

func (p *imageProgress) show(now api.Progress) {
	if now.Step == api.StepFetch || now.Step == api.StepPush {
		p.moved[now.What] = now
		now = api.Progress{Step: now.Step}
		for _, one := range p.moved {
			now.Done, now.Total = now.Done+one.Done, now.Total+one.Total
		}
	}
	if p.due(0) {
		p.statusLine.show(Printable(describe(now)))
	}
}

// describe returns a line about progress.
func describe(p api.Progress) string {
	if p.Step == api.StepUnpack {
		return fmt.Sprintf("unpacking layer %d of %d", p.Done+1, p.Total)
	}
	line := p.Step
	if p.What != "" {
		line += " " + shortDigest(p.What)
	}
	line += " " + units.BytesSize(float64(p.Done))
	if p.Total > 0 {
		line += " of " + units.BytesSize(float64(p.Total))
	}
	return line
}

// shortDigest returns 12 digits of a digest, or of an id.
func shortDigest(d string) string {
	_, hex, ok := strings.Cut(d, ":")
	if !ok {
		return d
	}
	return hex[:min(12, len(hex))]
}
