// Package specfields refuses, by name, the fields of an OCI spec that an executor
// cannot honour. Executors that do not run containers need it: users would believe to
// have what such an executor silently ignored.
//
//	var fields = specfields.Filter{Honoured: []string{"process.args", …}, Workload: "a plain process on the host"}
//
//	spec, err := fields.Sift(workload, config.Ignore)
//
// A backend's config lists under "ignore" the fields to ignore all the same:
// [Filter.Attribute] declares the list and [Filter.Check] checks it.
package specfields
