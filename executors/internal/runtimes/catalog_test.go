package runtimes

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func testCatalog(t *testing.T, d Defaults) *Catalog {
	t.Helper()
	blocks := []executor.RuntimeSettings{block1("crun", `{"path":"crun"}`), block1("gone", `{"path":"gone"}`)}
	table, diags := New(d, blocks)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return &Catalog{Table: table, Configured: blocks, Find: func(_ context.Context, r Resolved) (Resolved, Programs, error) {
		switch {
		case r.Shim == ShimLinuxV1:
			return r, Programs{}, errors.New("there is no such shim")
		case r.Path == "gone":
			return r, Programs{}, executor.Errorf(executor.FailedPrecondition, "gone is gone")
		case r.Path != "":
			r.Path = "/bin/" + r.Path
		}
		return r, Programs{Shim: "shim 2.1"}, nil
	}}
}

func TestCatalogResolves(t *testing.T) {
	c := testCatalog(t, Defaults{})
	for _, tt := range []struct {
		name, as string
		code     executor.Code
		says     string
	}{
		{name: "", as: "runc"},
		{name: "crun", as: "crun"},
		{name: "gone", code: executor.FailedPrecondition, says: "runtime gone: gone is gone"},
		{name: ShimLinuxV1, code: executor.FailedPrecondition, says: "runtime " + ShimLinuxV1 + ": there is no such shim"},
	} {
		rt, err := c.ResolveRuntime(t.Context(), tt.name)
		if tt.code != "" {
			if executor.CodeOf(err) != tt.code || err.Error() != tt.says {
				t.Errorf("%s: got %v, want %s %s", tt.name, err, tt.code, tt.says)
			}
			continue
		}
		r, derr := Decode(rt.Resolved)
		if err != nil || derr != nil || rt.Name != tt.as || r.Path != map[string]string{"crun": "/bin/crun"}[tt.as] {
			t.Errorf("%s: got %+v, %v, %v", tt.name, rt, err, derr)
		}
	}
	c.Ready = func(context.Context) error { return executor.Errorf(executor.Unavailable, "down") }
	if _, err := c.ResolveRuntime(t.Context(), "crun"); executor.CodeOf(err) != executor.Unavailable {
		t.Errorf("not ready: got %v", err)
	}
	if _, err := c.Runtimes(t.Context()); executor.CodeOf(err) != executor.Unavailable {
		t.Errorf("not ready: got %v", err)
	}
}

// TestCatalogLists: a problem is shown beside the runtime's name, and so does not
// repeat it.
func TestCatalogLists(t *testing.T) {
	infos, err := testCatalog(t, Defaults{}).Runtimes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, info := range infos {
		got[info.Name] = info.Version + "/" + info.Problem
		if info.Default != (info.Name == Runc) || (info.Resolved == nil) != (info.Problem != "") {
			t.Errorf("got %+v", info)
		}
	}
	want := map[string]string{
		Runc: "shim 2.1/", ShimRuncV2: "shim 2.1/", ShimRuncV1: "shim 2.1/", "crun": "shim 2.1/",
		"gone": "/gone is gone", ShimLinuxV1: "/there is no such shim",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCatalogChecks: stock runtimes that nobody has configured may be absent.
func TestCatalogChecks(t *testing.T) {
	for runtime, want := range map[string][]string{"": {"gone"}, ShimLinuxV1: {"gone", "default_runtime"}, "gone": {"gone"}} {
		found, err := testCatalog(t, Defaults{Runtime: runtime}).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range found {
			got = append(got, d.Path[len(d.Path)-1])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("default %q: got %q, want %q", runtime, got, want)
		}
	}
}
