package transport

// MethodClose lets the backend release what only its process needs. The process exits
// afterwards; it does not accept other calls.
var MethodClose = define(Method[None, None]{
	Name:  "close",
	Doc:   "closes the backend, and ends the process",
	Limit: End,
})
