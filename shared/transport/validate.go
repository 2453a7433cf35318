package transport

import "github.com/davit-run/davit/shared/executor"

// MethodValidate checks settings without a backend.
var MethodValidate = define(Method[executor.Settings, []executor.Diagnostic]{
	Name:     "validate",
	Doc:      "checks settings without a backend",
	Limit:    Ask,
	MaxReply: 50_000,
})
