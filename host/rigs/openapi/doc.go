// Package openapi compares requests and answers of the API with its OpenAPI document, by a
// library that knows nothing of davit. The tests of host/api run it as a program.
package openapi
