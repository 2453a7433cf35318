package runtimes

import "github.com/davit-run/davit/shared/executor"

// Schema declares what a runtime block may contain.
func Schema() *executor.Schema {
	return &executor.Schema{
		Attributes: []executor.Attribute{
			{Name: "shim", Type: executor.String, Description: "shim name such as io.containerd.runc.v2, or the absolute path of a shim binary; the backend's default_shim if absent"},
			{Name: "path", Type: executor.String, Description: "OCI binary such as crun: an absolute path, or a name that is looked up on PATH"},
			{Name: "args", Type: executor.Strings, Description: "arguments that go before the shim's own whenever path is run"},
		},
		Blocks: []executor.Block{{
			Name:        "options",
			Description: "options of the shim; which of them apply depends on the shim",
			Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "root", Type: executor.String, Description: "directory for the OCI binary's state; one of the backend's own if absent"},
				{Name: "systemd_cgroup", Type: executor.Bool, Description: "let systemd make the cgroups"},
				{Name: "no_pivot_root", Type: executor.Bool, Description: "use MS_MOVE in place of pivot_root, for a root on a RAM disk"},
				{Name: "no_new_keyring", Type: executor.Bool, Description: "keep the session keyring of the caller"},
				{Name: "shim_cgroup", Type: executor.String, Description: "cgroup to put the shim in"},
				{Name: "io_uid", Type: executor.Int, Description: "owner of the pipes for standard streams; by default the user of the first process"},
				{Name: "io_gid", Type: executor.Int, Description: "group of the pipes for standard streams; by default that of the first process"},
				{Name: "criu_path", Type: executor.String, Description: "criu binary; io.containerd.runtime.v1.linux alone"},
				{Name: "criu_image_path", Type: executor.String, Description: "directory for checkpoint images"},
				{Name: "criu_work_path", Type: executor.String, Description: "directory for criu's work files"},
				{Name: "type_url", Type: executor.String, Description: "type of the configuration of a shim that is not runc's, for shims that ask for it; for gVisor's io.containerd.runsc.v1.options if absent"},
				{Name: "config_path", Type: executor.String, Description: "configuration file of a shim that is not runc's; gVisor's and Kata's read it"},
				{Name: "config_body", Type: executor.String, Description: "configuration of a shim that is not runc's, inline; runwasi's read it, gVisor's and Kata's do not"},
			}},
		}},
	}
}

// block is a decoded runtime block.
type block struct {
	Shim    string   `json:"shim"`
	Path    string   `json:"path"`
	Args    []string `json:"args"`
	Options *Options `json:"options"`
}

// Options are the options of a shim. Which of them a shim understands depends on
// its [Kind]; the others are nil.
type Options struct {
	Root          *string `json:"root,omitempty"`
	SystemdCgroup *bool   `json:"systemd_cgroup,omitempty"`
	NoPivotRoot   *bool   `json:"no_pivot_root,omitempty"`
	NoNewKeyring  *bool   `json:"no_new_keyring,omitempty"`
	ShimCgroup    *string `json:"shim_cgroup,omitempty"`
	IoUID         *int64  `json:"io_uid,omitempty"`
	IoGID         *int64  `json:"io_gid,omitempty"`
	CriuPath      *string `json:"criu_path,omitempty"`
	CriuImagePath *string `json:"criu_image_path,omitempty"`
	CriuWorkPath  *string `json:"criu_work_path,omitempty"`
	TypeURL       *string `json:"type_url,omitempty"`
	ConfigPath    *string `json:"config_path,omitempty"`
	ConfigBody    *string `json:"config_body,omitempty"`
}
