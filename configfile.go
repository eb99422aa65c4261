package switchboard

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ConfigError is one thing that is wrong in a configuration.
type ConfigError struct {
	File         string
	Line, Column int    // from 1; 0 if not known
	Path         string // as in listeners[2].listen; empty if not known
	Problem      string // what is wrong, and what would be right
}

func (e *ConfigError) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Path != "" {
		return fmt.Sprintf("%s: %s: %s", where, e.Path, e.Problem)
	}
	return where + ": " + e.Problem
}

// maxConfig is the largest configuration file that is read, in bytes.
const maxConfig = 4 << 20

// LoadConfig reads and checks a configuration file. All that is wrong is told at once, each as a *ConfigError.
func LoadConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	if len(text) > maxConfig {
		return Config{}, &ConfigError{File: path,
			Problem: fmt.Sprintf("larger than %d bytes: this is no configuration", maxConfig)}
	}
	return ParseConfig(path, text)
}

// ParseConfig reads and checks the text of a configuration; file is its name in errors.
func ParseConfig(file string, text []byte) (conf Config, err error) {
	defer func() {
		if p := recover(); p != nil { // the YAML library panics on some malformed input
			err = &ConfigError{File: file, Problem: fmt.Sprintf("malformed YAML: %v", p)}
		}
	}()
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Config{}, yamlError(file, err)
	}
	if len(tree.Docs) > 1 {
		return Config{}, &ConfigError{File: file, Problem: "more than one document: remove the line that says ---"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := decoder.Decode(&conf); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, yamlError(file, err)
	}
	c := checker{file: file, tree: tree}
	c.config(&conf)
	return conf, errors.Join(c.errs...)
}

// Check tells what is wrong with a configuration that was not read from a file.
func (conf *Config) Check() error {
	c := checker{file: "configuration"}
	c.config(conf)
	return errors.Join(c.errs...)
}

// yamlError turns an error of the YAML library into one with a position and, for an unknown key, the mend.
func yamlError(file string, err error) error {
	e := &ConfigError{File: file, Problem: strings.TrimSpace(err.Error())}
	var y yaml.Error
	if !errors.As(err, &y) {
		return e
	}
	e.Problem = y.GetMessage()
	for end, mend := range wrongTypes {
		if strings.HasSuffix(e.Problem, end) {
			e.Problem = mend
		}
	}
	if t := y.GetToken(); t != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
		if name, unknown := unknownKey(e.Problem); unknown {
			e.Problem = fmt.Sprintf("unknown key %q", name)
			if near := nearest(name, allKeys); near != "" {
				e.Problem += fmt.Sprintf("; did you mean %q?", near)
			}
		}
	}
	return e
}

// wrongTypes are the ends of what the YAML library says of a value of another type, and what is right.
var wrongTypes = map[string]string{
	"of type int": "must be a whole number, as in 1024", "of type float64": "must be a number, as in 0.5",
	"of type bool": "must be true or false", "of type string": "must be a text, as in \"a: b\"",
	"mapping is expected": "must be an object, as in {key: value}", "sequence is expected": "must be a list, as in [a, b]",
}

func unknownKey(message string) (string, bool) {
	if !strings.HasPrefix(message, "unknown field") {
		return "", false
	}
	return strings.Trim(strings.TrimPrefix(message, "unknown field"), " \""), true
}

// allKeys are the keys of all sections.
var allKeys = collectKeys(reflect.TypeFor[Config](), nil)

func collectKeys(t reflect.Type, keys []string) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return collectKeys(t.Elem(), keys)
	case reflect.Struct:
		for i := range t.NumField() {
			keys = append(keys, t.Field(i).Tag.Get("yaml"))
			keys = collectKeys(t.Field(i).Type, keys)
		}
	}
	return keys
}

// nearest is the one of names that is at most two edits from name, or "".
func nearest(name string, names []string) string {
	best, distance := "", 3
	for _, n := range names {
		if d := edits(name, n); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// ParseDuration reads 500ms, 10s, 5m, 2h, 1h30m or 30d. It must not be negative.
func ParseDuration(s string) (time.Duration, error) {
	var d time.Duration
	var err error
	if days, found := strings.CutSuffix(s, "d"); found {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		if !(n >= 0 && n < 1e5) {
			n = -1
		}
		d = time.Duration(n * float64(24*time.Hour))
	} else {
		d, err = time.ParseDuration(s)
	}
	if err != nil || d < 0 || d > 200*365*24*time.Hour {
		return 0, fmt.Errorf("%q is no duration: write 500ms, 10s, 5m, 2h or 30d", s)
	}
	return d, nil
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6},
	{"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// ParseSize reads a number of bytes: 4096, 64KiB, 10MiB, 20GiB, or with units of 1000: 10MB.
func ParseSize(s string) (int64, error) {
	for _, unit := range sizeUnits {
		number, found := strings.CutSuffix(s, unit.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0 && n*unit.bytes <= 1<<60) {
			break
		}
		return int64(n * unit.bytes), nil
	}
	return 0, fmt.Errorf("%q is no size: write 4096, 64KiB, 10MiB or 20GiB", s)
}

// checker collects what is wrong, with its place in the file.
type checker struct {
	file string
	tree *ast.File
	errs []error
}

func (c *checker) wrong(path, problem string, args ...any) {
	e := &ConfigError{File: c.file, Path: path, Problem: fmt.Sprintf(problem, args...)}
	e.Line, e.Column = c.position(path)
	c.errs = append(c.errs, e)
}

// position finds a path's place in the file, or that of the nearest thing around it.
func (c *checker) position(path string) (line, column int) {
	for c.tree != nil && path != "" {
		p, err := yaml.PathString("$." + path)
		if err == nil {
			if node, err := p.FilterFile(c.tree); err == nil && node != nil && node.GetToken() != nil {
				at := node.GetToken().Position
				return at.Line, at.Column
			}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0, 0
}

func (c *checker) duration(path, s, byDefault string) time.Duration {
	d, err := ParseDuration(cmp.Or(s, byDefault, "0s"))
	if err != nil {
		c.wrong(path, "%v", err)
	}
	return d
}

func (c *checker) size(path, s, byDefault string) int64 {
	n, err := ParseSize(cmp.Or(s, byDefault, "0"))
	if err != nil {
		c.wrong(path, "%v", err)
	}
	return n
}
