package transport

import "github.com/davit-run/davit/shared/executor"

// MethodExited calls [executor.Host.Exited].
var MethodExited = define(Method[executor.Status, None]{
	Name:       "exited",
	Doc:        "reports the end of a process",
	Limit:      Report,
	MaxRequest: defaultValues,
	Ref:        func(s executor.Status) executor.Ref { return s.Ref },
	Check: func(s executor.Status) error {
		if err := s.Validate(); err != nil {
			return err
		}
		if s.Exit == nil {
			return executor.Errorf(executor.Invalid, "%s: exited without an exit", s.Ref)
		}
		return nil
	},
})
