// Package specfields refuses, by name, the fields of an OCI spec that an executor
// cannot honour. Executors that do not run containers need it: what they passed
// over in silence, a user would believe to have.
//
//	var fields = specfields.Filter{Honoured: []string{"process.args", …}, Workload: "a plain process on the host"}
//
//	spec, err := fields.Sift(workload, config.Ignore)
//
// What is to be passed over all the same, a backend's config lists under "ignore":
// [Filter.Attribute] declares it and [Filter.Check] checks it.
package specfields
