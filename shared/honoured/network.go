package honoured

import "github.com/davit-run/davit/shared/executor"

// ForgetUnasked makes a network namespace that nobody has asked for in a spec a new one; see
// [executor.AnnotationNetwork].
func ForgetUnasked(spec map[string]any) {
	annotations, _ := spec["annotations"].(map[string]any)
	linux, _ := spec["linux"].(map[string]any)
	list, _ := linux["namespaces"].([]any)
	if annotations[executor.AnnotationNetwork] != executor.NetworkUnasked {
		return
	}
	for _, v := range list {
		if n, ok := v.(map[string]any); ok && n["type"] == "network" {
			delete(n, "path")
		}
	}
}
