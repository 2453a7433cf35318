package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/davit-run/davit/shared/executor"
)

// schema is the version of the layout and of every value in it.
const schema = 1

// Each value is one byte of schema version, a CRC32C and a body. The CRC covers
// the bucket, the key, the version and the body, so that a value under the
// wrong key is as damaged as one with a wrong byte.
const valueHeader = 1 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the value with a body.
func encode(b bucket, key, body []byte) []byte {
	value := make([]byte, valueHeader, valueHeader+len(body))
	value[0] = schema
	binary.BigEndian.PutUint32(value[1:], checksum(b, key, schema, body))
	return append(value, body...)
}

// decode returns the body of a value, which aliases it.
func decode(b bucket, key, value []byte) ([]byte, error) {
	if len(value) < valueHeader {
		return nil, damaged(b, key, fmt.Errorf("value has %d bytes, at least %d are needed", len(value), valueHeader))
	}
	body := value[valueHeader:]
	if want, got := sum(value), checksum(b, key, value[0], body); got != want {
		return nil, damaged(b, key, fmt.Errorf("checksum is %08x, recorded was %08x", got, want))
	}
	if value[0] != schema {
		return nil, damaged(b, key, fmt.Errorf("schema version %d, this program knows %d", value[0], schema))
	}
	return body, nil
}

// decodeJSON decodes a value whose body is JSON into v.
func decodeJSON(b bucket, key, value []byte, v any) error {
	body, err := decode(b, key, value)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return damaged(b, key, err)
	}
	return nil
}

// sum returns the checksum that a value carries.
func sum(value []byte) uint32 {
	if len(value) < valueHeader {
		return 0
	}
	return binary.BigEndian.Uint32(value[1:])
}

func checksum(b bucket, key []byte, version byte, body []byte) uint32 {
	prefix := make([]byte, 0, 64)
	prefix = append(prefix, version, byte(len(b.name())))
	prefix = append(prefix, b.name()...)
	prefix = binary.BigEndian.AppendUint32(prefix, uint32(len(key)))
	prefix = append(prefix, key...)
	return crc32.Update(crc32.Checksum(prefix, castagnoli), castagnoli, body)
}

// DamageError is the error for a record that cannot be read. Its code is Internal.
type DamageError struct {
	Bucket string
	Key    string
	Err    error
}

func damaged(b bucket, key []byte, err error) error {
	return &executor.Error{
		Code:    executor.Internal,
		Message: fmt.Sprintf("store: record %s/%s is damaged: %v", b.name(), b.printable(key), err),
		Err:     &DamageError{Bucket: b.name(), Key: b.printable(key), Err: err},
	}
}

// Error names bucket, key and reason.
func (e *DamageError) Error() string {
	return fmt.Sprintf("record %s/%s is damaged: %v", e.Bucket, e.Key, e.Err)
}

// Unwrap returns the reason.
func (e *DamageError) Unwrap() error { return e.Err }
