package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxDepth bounds how deep blocks, lists and objects nest. Schemas have four levels in
// practice.
const maxDepth = 32

const literalHint = "write a literal value: there are no variables, functions or operators"

// A source is a file being turned into a body.
type source struct {
	name  string
	text  []byte
	lines []string
	diags diag.Diagnostics
}

// unreadable is a value that was reported as wrong, and must not be reported again.
type unreadable struct{}

// parseHCL returns the body of a file. After a syntax error it is empty, because the
// parser then guesses the rest.
func parseHCL(text []byte, name string) (*body, diag.Diagnostics) {
	s := &source{name: name, text: text, lines: strings.Split(string(text), "\n")}
	if !s.checkTokens() {
		return &body{at: diag.Range{File: name}}, s.diags
	}
	file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	for _, d := range diags {
		var at diag.Range
		if d.Subject != nil {
			at = s.at(*d.Subject)
		}
		s.diags.Fail(at, "", "%s: %s", strings.ToLower(d.Summary), strings.TrimSuffix(d.Detail, "."))
	}
	root := &body{at: diag.Range{File: name}}
	if b, ok := file.Body.(*hclsyntax.Body); ok && !s.diags.HasErrors() {
		root.items = s.items(b)
	}
	return root, s.diags
}

// checkTokens refuses tokens that could make the parser recurse or compute without bound.
func (s *source) checkTokens() bool {
	const maxNumber = 32                                             // bytes; no attribute takes more, and 1e999999999 takes minutes
	tokens, _ := hclsyntax.LexConfig(s.text, s.name, hcl.InitialPos) // the parser reports it again
	depth := 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack:
			if depth++; depth > maxDepth {
				s.diags.Fail(s.at(t.Range), "", "blocks and values nest more than %d deep", maxDepth)
				return false
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack:
			depth--
		case hclsyntax.TokenNumberLit:
			if len(t.Bytes) > maxNumber || bytes.ContainsAny(t.Bytes, "eE") {
				s.diags.Fail(s.at(t.Range), "write it out, without an exponent", "number %.32s is too large", t.Bytes)
			}
		case hclsyntax.TokenMinus:
			if i+1 < len(tokens) && tokens[i+1].Type == hclsyntax.TokenNumberLit {
				continue
			}
			fallthrough
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOParen,
			hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenDot, hclsyntax.TokenDoubleColon,
			hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent, hclsyntax.TokenPlus,
			hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
			hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq:
			hint := literalHint
			if text := string(t.Bytes); text == "${" || text == "%{" {
				hint += "; in a string, " + text[:1] + text + " stands for " + text
			}
			s.diags.Fail(s.at(t.Range), hint, "%q cannot stand here", t.Bytes)
		}
	}
	return !s.diags.HasErrors()
}

// items returns the items of a body in the order of the file.
func (s *source) items(b *hclsyntax.Body) []item {
	var items []item
	for _, a := range b.Attributes {
		items = append(items, item{
			name: a.Name, form: attribute, at: s.at(a.NameRange),
			node: node{value: s.value(a.Expr), place: s.at(a.Expr.Range())},
		})
	}
	for _, bl := range b.Blocks {
		at := s.at(hcl.RangeBetween(bl.TypeRange, bl.DefRange()))
		items = append(items, item{
			name: bl.Type, labels: bl.Labels, form: block, at: at,
			node: node{value: &body{at: at, items: s.items(bl.Body)}, place: at},
		})
	}
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column))
	})
	return items
}

// value returns the value of a literal.
func (s *source) value(expr hclsyntax.Expression) any {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return s.scalar(e.Val)
	case *hclsyntax.TemplateExpr:
		var text strings.Builder
		for _, part := range e.Parts {
			str, ok := s.value(part).(string)
			if !ok {
				return unreadable{}
			}
			text.WriteString(str)
		}
		return text.String()
	case *hclsyntax.UnaryOpExpr:
		if n, ok := s.value(e.Val).(json.Number); ok && e.Op == hclsyntax.OpNegate {
			return "-" + n
		}
	case *hclsyntax.TupleConsExpr:
		list := []node{}
		for _, el := range e.Exprs {
			list = append(list, node{value: s.value(el), place: s.at(el.Range())})
		}
		return list
	case *hclsyntax.ObjectConsExpr:
		object := &body{at: s.at(e.OpenRange)}
		for _, member := range e.Items {
			name, ok := s.key(member.KeyExpr)
			if !ok {
				continue
			}
			object.items = append(object.items, item{
				name: name, form: attribute, at: s.at(member.KeyExpr.Range()),
				node: node{value: s.value(member.ValueExpr), place: s.at(member.ValueExpr.Range())},
			})
		}
		return object
	case *hclsyntax.ScopeTraversalExpr:
		if word := hcl.ExprAsKeyword(e); word != "" {
			s.diags.Fail(s.at(e.Range()), "a string stands in quotes: "+strconv.Quote(word), "%s is not a value", word)
			return unreadable{}
		}
	}
	s.diags.Fail(s.at(expr.Range()), literalHint, "this is not a literal value")
	return unreadable{}
}

// key returns an object's key, which may be a bare word.
func (s *source) key(expr hclsyntax.Expression) (string, bool) {
	if word := hcl.ExprAsKeyword(expr); word != "" {
		return word, true
	}
	if k, ok := expr.(*hclsyntax.ObjectConsKeyExpr); ok {
		expr = k.Wrapped
	}
	switch v := s.value(expr).(type) {
	case string:
		return v, true
	case unreadable:
	default:
		s.diags.Fail(s.at(expr.Range()), "", "a key must be a word or a string, not %s", describe(v))
	}
	return "", false
}

// scalar returns null, a bool, a string or a number.
func (s *source) scalar(v cty.Value) any {
	switch {
	case v.IsNull() || !v.IsKnown():
		return nil
	case v.Type() == cty.Bool:
		return v.True()
	case v.Type() == cty.String:
		return v.AsString()
	case v.Type() == cty.Number:
		f := v.AsBigFloat()
		if n, acc := f.Int64(); acc == big.Exact {
			return json.Number(strconv.FormatInt(n, 10))
		}
		return json.Number(f.Text('g', 20))
	}
	return nil
}

// at returns the Range of a place in s.
func (s *source) at(r hcl.Range) diag.Range {
	at := diag.Range{File: s.name, Line: r.Start.Line, Column: r.Start.Column, EndLine: r.End.Line, EndColumn: r.End.Column}
	if i := at.Line - 1; i >= 0 && i < len(s.lines) {
		at.Text = strings.TrimSuffix(s.lines[i], "\r")
	}
	return at
}
