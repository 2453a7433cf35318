// Package publish describes the ports that containers publish on their machine.
//
// What is asked for and what came of it are the same type: a [Port] that leaves its host
// port open is published on one that is free, and the port that is then shown has it.
package publish
