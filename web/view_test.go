package web_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
	"github.com/switchboard-relay/switchboard/threeend"
)

// viewed is a view as a program sees it.
type viewed struct {
	p        *page
	number   int
	id       session.ID
	terminal *terminal.Terminal
	input    string
	sizes    int
	screens  int
	end      *viewedEnd
}

type viewedEnd struct {
	Code                                        int
	Message, Meaning, By, Reason, Detail, Error string
	Cause                                       session.Cause
	Status                                      int
	Exit                                        *int
}

// view begins a view, and takes the size and the screen.
func (p *page) view(number int, what string) *viewed {
	p.t.Helper()
	var got struct {
		ID         session.ID
		Cols, Rows int
		Error      string
	}
	p.ask("view", fmt.Sprintf(`{"view":%d,"session":%q}`, number, what), &got)
	if got.Error != "" || got.ID == "" || got.Cols == 0 || got.Rows == 0 {
		p.t.Fatalf("view %s: %+v", what, got)
	}
	v := &viewed{p: p, number: number, id: got.ID, terminal: terminal.New(1, 1)}
	for v.screens == 0 {
		v.take()
	}
	if cols, rows := v.terminal.Size(); cols != got.Cols || rows != got.Rows {
		p.t.Errorf("the size is %dx%d; said was %dx%d", cols, rows, got.Cols, got.Rows)
	}
	return v
}

// take takes an event of the view.
func (v *viewed) take() {
	t := v.p.t
	t.Helper()
	for i, e := range v.p.kept {
		if v.is(e) {
			v.p.kept = append(v.p.kept[:i:i], v.p.kept[i+1:]...)
			v.show(e)
			return
		}
	}
	for {
		e, _ := v.p.read()
		if v.is(e) {
			v.show(e)
			return
		}
		v.p.kept = append(v.p.kept, e)
	}
}

func (v *viewed) is(e told) bool {
	switch e.event {
	case "v", "d", "i", "end":
		var number int
		e.into(v.p.t, 0, &number)
		return number == v.number
	}
	return false
}

func (v *viewed) show(e told) {
	t := v.p.t
	t.Helper()
	var text string
	if e.event == "d" || e.event == "i" {
		e.into(t, 1, &text)
		if !utf8.ValidString(text) || text == "" {
			t.Errorf("%s is %q", e.event, text)
		}
	}
	switch e.event {
	case "v":
		var cols, rows int
		e.into(t, 1, &cols)
		e.into(t, 2, &rows)
		v.terminal.Resize(cols, rows)
		v.sizes++
	case "d":
		v.terminal.Write([]byte(text))
		v.screens += strings.Count(text, "\x1bc")
	case "i":
		v.input += text
	case "end":
		v.end = &viewedEnd{}
		e.into(t, 1, v.end)
	}
}

// until takes events until something is so.
func (v *viewed) until(what string, so func() bool) {
	v.p.t.Helper()
	for !so() {
		if v.end != nil {
			v.p.t.Fatalf("the view ended with %+v before %s; shown is %q, typed %q", v.end, what, rows(v.terminal), v.input)
		}
		v.take()
	}
}

func (v *viewed) shows(text string) {
	v.p.t.Helper()
	v.until(fmt.Sprintf("%q is shown", text), func() bool { return strings.Contains(rows(v.terminal), text) })
}

func (v *viewed) over() *viewedEnd {
	v.p.t.Helper()
	for v.end == nil {
		v.take()
	}
	return v.end
}

func TestAViewIsTheSizeTheScreenAndWhatComes(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "one\r\n\x1b[31mtwo")
	p := h.look("vera")
	v := p.view(7, string(s.ID()))
	if got := rows(v.terminal); v.id != s.ID() || got != "one|two||" {
		t.Errorf("at first %s shows %q", v.id, got)
	}
	says(t, s, "\r\nthree")
	v.shows("two|three")
	s.Resize(30, 5)
	says(t, s, " four")
	v.shows("three four")
	if cols, rows := v.terminal.Size(); cols != 30 || rows != 5 || v.sizes != 2 {
		t.Errorf("resized: %dx%d, told %d times", cols, rows, v.sizes)
	}
	three := 3
	s.EndWith(&session.End{Cause: session.Done, Detail: "by itself", Exit: &three})
	if end := v.over(); end.Code != 5 || end.Message != "会话已结束！" || end.Meaning == "" || end.Cause != session.Done ||
		end.Detail != "by itself" || end.Exit == nil || *end.Exit != 3 || end.Error != "" {
		t.Errorf("the end is %+v", end)
	}
	p.refused("view", `{"view":7,"session":"`+string(s.ID())+`"}`, 409, "not live")
}

func TestAKickIsToldToAViewWithItsCode(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	p := h.look("otto")
	v := p.view(1, string(s.ID()))
	var kicked struct {
		ID     session.ID
		Cause  session.Cause
		By     string
		Reason string
		Code   *int
		Error  string
	}
	p.ask("kick", `{"id":"`+string(s.ID())+`","reason":"tea"}`, &kicked)
	if kicked.ID != s.ID() || kicked.Cause != session.Kicked || kicked.By != "otto" || kicked.Reason != "tea" || kicked.Code != nil {
		t.Errorf("the answer is %+v", kicked)
	}
	if end := v.over(); end.Code != 3 || end.Message != "会话已结束！" || end.Cause != session.Kicked || end.By != "otto" || end.Reason != "tea" {
		t.Errorf("the end is %+v", end)
	}
	h.look("vera").refused("kick", `{"id":"`+string(s.ID())+`"}`, 403, "operator")
	p.refused("kick", `{"id":"`+string(s.ID())+`"}`, 409, "not live")
	p.refused("kick", `{"session":"a","id":"b"}`, 400, "one of them")
	p.refused("kick", `{"session":"nobody"}`, 404, "no such session")
}

func TestAViewOfWhatIsNoLiveTerminalIsRefused(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	p := h.look("vera")
	p.refused("view", `{"view":1,"session":"`+string(c.id)+`"}`, 409, "watch it")
	p.refused("view", `{"view":1,"session":"zzz"}`, 404, "no such session")
	p.refused("view", `{"view":1,"session":"ssh:1"}`, 404, "none is configured")
	p.refused("view", `{"view":1,"session":"/:"}`, 400, "KIND:ID")
	p.refused("view", `{"view":"x"}`, 400, "view takes an object")
	s := h.shell(session.RecordOn)
	for i := range 64 {
		p.view(i, string(s.ID()))
	}
	p.refused("view", `{"view":1,"session":"`+string(s.ID())+`"}`, 409, "another number")
	p.refused("view", `{"view":64,"session":"`+string(s.ID())+`"}`, 409, "64 views")
	var done struct{ Error string }
	p.ask("unview", `{"view":9}`, &done)
	p.ask("unview", `{"view":900}`, &done)
	p.view(64, string(s.ID()))
}

func TestNothingOfAViewComesBehindItsEnd(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	p := h.look("vera")
	for i := range 50 {
		v := p.view(i, string(s.ID()))
		says(t, s, "%d\r\n", i)
		var done struct{ Error string }
		p.ask("unview", fmt.Sprintf(`{"view":%d}`, i), &done)
		p.kept = nil
		says(t, s, "more\r\n")
		p.ask("unview", `{"view":999}`, &done)
		for _, e := range p.kept {
			if v.is(e) {
				t.Fatalf("got %s %s", e.event, e.args)
			}
		}
	}
	h.until("nobody looks on", func() bool { return h.one(s.ID()).Watchers == 0 })
}

// split cuts text before each of its bytes.
func split(text string) (list [][]byte) {
	for i := range len(text) {
		list = append(list, []byte{text[i]})
	}
	return list
}

func TestNoCharacterOfAViewIsBroken(t *testing.T) {
	h := open(t)
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "typed", Transport: "pipe", Terminal: "40x6", Record: session.RecordOn}, nil)
	check(t, err)
	s := h.fill(l, 1)[0]
	const text = "é中😀\r\n"
	p := h.look("vera")
	var all []*viewed
	for i, b := range split(text + text) {
		all = append(all, p.view(i, string(s.ID())))
		_, err := s.Write(b)
		check(t, err)
	}
	for _, v := range all {
		v.shows("é中😀|é中😀|")
	}
	for _, b := range split("\xff\xe4\xb8x\xe4") { // of which only x is a character
		_, err := s.Write(b)
		check(t, err)
	}
	s.End(session.Done, "")
	for i, v := range all {
		v.over()
		if got := rows(v.terminal); !strings.Contains(got, "é中😀|é中😀|���x�") {
			t.Errorf("view %d shows %q", i, got)
		}
	}
}

func TestWhoDoesNotReadItsViewIsShownTheScreenOfThen(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	p := h.look("vera")
	v := p.view(1, string(s.ID()))
	noise := rand.New(rand.NewPCG(1, 2))
	line := make([]byte, 32<<10)
	for i := range 1000 { // more than sockets hold
		for k := range line {
			line[k] = byte('a' + noise.IntN(26))
		}
		says(t, s, "%s\r\n%d", line, i)
	}
	says(t, s, "\x1b[2J\x1b[Hlast")
	s.End(session.Kicked, "")
	if end := v.over(); end.Code != 3 || v.screens < 2 {
		t.Errorf("the end is %+v, behind %d screens", end, v.screens)
	}
	if got := rows(v.terminal); got != "last|||" {
		t.Errorf("in the end it shows %q", got)
	}
}

func TestAViewOfWhatIsNotRecordedBeginsBlank(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOff)
	says(t, s, "before")
	p := h.look("vera")
	v := p.view(1, string(s.ID()))
	if got := rows(v.terminal); got != "|||" {
		t.Errorf("at first it shows %q", got)
	}
	h.until("it is followed", func() bool { return h.one(s.ID()).Watchers == 1 })
	says(t, s, "now")
	v.shows("now")
	s.End(session.Done, "")
	if end := v.over(); end.Code != 5 {
		t.Errorf("the end is %+v", end)
	}
}

// viewing is the page's view of a session that its source is asked for.
func (p *plant) viewing(page *page, number int, id, first string) (*viewed, *line) {
	p.t.Helper()
	lines := make(chan *line, 1)
	go func() {
		l := <-p.asked
		l.Write([]byte(first))
		lines <- l
	}()
	v := page.view(number, "ssh:"+id)
	l := <-lines
	p.t.Cleanup(func() { l.Close() })
	return v, l
}

// frame is a frame as text.
func frame(kind threeend.Type, text string) string {
	return string(threeend.AppendFrame(nil, kind, []byte(text)))
}

func TestAViewShowsASourcesSessionHoweverItIsCut(t *testing.T) {
	h, p := withPlant(t)
	page := h.look("otto")
	v, l := p.viewing(page, 1, "42", frame(threeend.View, "40x6"))
	if cols, rows := v.terminal.Size(); cols != 40 || rows != 6 {
		t.Errorf("the size is %dx%d", cols, rows)
	}
	const text = "é中😀\r\n"
	var stream string
	for _, b := range split(text + text) {
		stream += frame(threeend.Display, string(b)) + frame(threeend.Input, "") + frame(threeend.Display, "")
	}
	for _, b := range split("ls 中\r") {
		stream += frame(threeend.Input, string(b))
	}
	var late []*viewed
	for i := range len(stream) {
		if i%20 == 0 {
			late = append(late, page.view(100+i, "ssh:42"))
		}
		l.say(stream[i])
	}
	v.shows("é中😀|é中😀|")
	v.until("the input", func() bool { return v.input == "ls 中\r" })
	for _, other := range late {
		other.shows("é中😀|é中😀|")
	}
	l.say([]byte(frame(threeend.View, "50x7"))...)
	v.until("the size", func() bool { cols, rows := v.terminal.Size(); return cols == 50 && rows == 7 })
	var kicked struct {
		Session, Message string
		Code             int
	}
	page.say(`42/console,900["kick",{"session":"ssh:42","reason":"tea"}]`)
	p.next(true, "42").say('3')
	l.say('3')
	for {
		e, answer := page.read()
		if answer == 900 {
			e.into(t, 0, &kicked)
			break
		}
		page.kept = append(page.kept, e)
	}
	if kicked.Code != 3 || kicked.Session != "ssh:42" || kicked.Message != "会话已结束！" {
		t.Errorf("the answer is %+v", kicked)
	}
	for _, v := range append(late, v) {
		if end := v.over(); end.Code != 3 || end.Cause != session.Kicked || end.By != "otto" || end.Reason != "tea" {
			t.Errorf("the end is %+v", end)
		}
	}
	l.isLeft()
}

func TestTheLastViewThatEndsLeavesTheSource(t *testing.T) {
	h, p := withPlant(t)
	one, two := h.look("vera"), h.look("vera")
	_, l := p.viewing(one, 1, "42", frame(threeend.Display, "x"))
	two.view(1, "ssh:42")
	var done struct{ Error string }
	one.ask("unview", `{"view":1}`, &done)
	l.say([]byte(frame(threeend.Display, "x"))...)
	two.conn.Close()
	l.isLeft()
	one.say(`42/console,900["view",{"view":1,"session":"ssh:43"}]`)
	l = p.next(false, "43")
	one.ask("unview", `{"view":1}`, &done)
	l.isLeft()
}

func TestEachWayInWhichASourcesSessionEndsIsToldToItsViews(t *testing.T) {
	h, p := withPlant(t)
	page := h.look("vera")
	for i, c := range []struct {
		end   func(l *line)
		code  int
		cause session.Cause
	}{
		{func(l *line) { l.say('3') }, 3, session.Kicked},
		{func(l *line) { l.say('5') }, 5, session.Done},
		{func(l *line) { l.Close() }, 5, session.HungUp},
		{func(l *line) { l.say('x') }, 5, session.Failed},
	} {
		v, l := p.viewing(page, i, "42", frame(threeend.Display, "x"))
		c.end(l)
		if end := v.over(); end.Code != c.code || end.Cause != c.cause || end.Message != "会话已结束！" || end.Detail == "" || end.Error != "" {
			t.Errorf("the end is %+v; want code %d, %s", end, c.code, c.cause)
		}
		h.until("it has ended", func() bool { return h.one(v.id).State == session.Recorded })
	}
	v, l := p.viewing(page, 9, "42", frame(threeend.Display, "all of it")+"5") // over as soon as it began
	if end := v.over(); end.Code != 5 || !strings.Contains(rows(v.terminal), "all of it") {
		t.Errorf("the end is %+v; shown is %q", end, rows(v.terminal))
	}
	l.isLeft()
	page.say(`42/console,900["view",{"view":1,"session":"ssh:42"}]`)
	p.next(false, "42").say('5')
	e, _ := page.read()
	if !strings.Contains(string(e.args[0]), `"status":404,"code":5,"message":"会话已结束！"`) {
		t.Errorf("of what there is not the answer is %s", e.args[0])
	}
}
