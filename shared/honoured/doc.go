// Package honoured refuses, by name, the fields of an OCI spec that an executor does not
// honour. Users would otherwise believe to have what such an executor silently passes over: a
// limit, a volume, a read-only root.
//
//	var fields = honoured.Fields{"process.args", "process.env", "process.cwd"}
//
//	if err := fields.Check(workload); err != nil {
//		return err
//	}
//
// What every container's spec has, whatever its user asks for, is not refused: see [IsUsual].
//
// # Rationale
//
// Why a list of what is honoured, and not of what is refused? Specs grow. A field that nobody
// here has heard of is one that the executor does not honour.
package honoured
