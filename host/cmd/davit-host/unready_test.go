package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/hashicorp/go-hclog"
)

// TestSayUnready: a host on which nothing can run says so once, and no other.
func TestSayUnready(t *testing.T) {
	starting, ready := api.BackendInfo{State: api.BackendStarting}, api.BackendInfo{State: api.BackendReady}
	waiting, failed := api.BackendInfo{State: api.BackendWaiting, Failures: 1}, api.BackendInfo{State: api.BackendStarting, Failures: 2}
	for _, tt := range []struct {
		name  string
		looks [][]api.BackendInfo
		says  bool
	}{
		{"all fail", [][]api.BackendInfo{{starting, starting}, {waiting, starting}, {waiting, failed}}, true},
		{"one is ready", [][]api.BackendInfo{{starting, waiting}, {ready, waiting}}, false},
		{"a removed one does not count", [][]api.BackendInfo{{{State: api.BackendRemoved}, waiting}}, true},
		{"none", [][]api.BackendInfo{{}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			look := 0
			sayUnready(t.Context(), func() ([]api.BackendInfo, error) {
				look++
				return tt.looks[min(look, len(tt.looks))-1], nil
			}, hclog.New(&hclog.LoggerOptions{Output: &log}))
			if said := strings.Count(log.String(), "no backend is ready"); said > 1 || (said == 1) != tt.says {
				t.Errorf("the log is %q", log.String())
			}
		})
	}
}
