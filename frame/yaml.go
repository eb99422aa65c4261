package frame

import "slices"

// FramerSpecs are framers in order. In YAML they may be one, without a list.
type FramerSpecs []FramerSpec

// UnmarshalYAML reads a list of framers, or one.
func (s *FramerSpecs) UnmarshalYAML(unmarshal func(any) error) error {
	var list []any
	if unmarshal(&list) != nil {
		var one FramerSpec
		if err := unmarshal(&one); err != nil {
			return err
		}
		*s = FramerSpecs{one}
		return nil
	}
	return unmarshal((*[]FramerSpec)(s))
}

// UnmarshalYAML reads a framer, or only its name: that of a preset or of a type.
func (s *FramerSpec) UnmarshalYAML(unmarshal func(any) error) error {
	var name string
	if unmarshal(&name) == nil {
		*s = Named(name)
		return nil
	}
	type plain FramerSpec
	return unmarshal((*plain)(s))
}

// Named is the framer of a name: of a type, or else of a preset, which Compile looks for.
func Named(name string) FramerSpec {
	if slices.Contains(types, name) {
		return FramerSpec{Type: name}
	}
	return FramerSpec{Preset: name}
}
