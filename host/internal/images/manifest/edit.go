package manifest

import (
	"encoding/json"
	"maps"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Edit changes the config of an image, as JSON. Members that OCI does not know, such as
// docker's Healthcheck, stay as they are.
func Edit(raw []byte, edit func(*v1.Image) error) ([]byte, error) {
	image := new(v1.Image)
	if err := json.Unmarshal(raw, image); err != nil {
		return nil, invalid("its config: %w", err)
	}
	before, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	if err := edit(image); err != nil {
		return nil, err
	}
	after, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	return replace(raw, before, after)
}

// replace returns a JSON object without the members of before, and with those of after. The
// member "config" is such an object itself.
func replace(object, before, after json.RawMessage) (json.RawMessage, error) {
	var all [3]map[string]json.RawMessage
	for i, raw := range []json.RawMessage{object, before, after} {
		if len(raw) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &all[i]); err != nil {
			return nil, err
		}
	}
	merged, old, set := all[0], all[1], all[2]
	if merged == nil {
		merged = map[string]json.RawMessage{}
	}
	if config, ok := set["config"]; ok {
		var err error
		if set["config"], err = replace(merged["config"], old["config"], config); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(merged, func(name string, _ json.RawMessage) bool { _, known := old[name]; return known })
	maps.Copy(merged, set)
	return json.Marshal(merged)
}
