package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// demonstration is what a source holds that was told nothing: a lively screen, somebody who types, a log, and a terminal that
// changes its size.
var demonstration = map[string]act{"demo": {play: playScreen}, "1": {play: playTyping}, "2": {play: playLog}, "3": {play: playSizes}}

// redraw is how often playScreen is drawn.
const redraw = 200 * time.Millisecond

// playScreen is a screen with a clock, colours, several scripts and a chart.
func playScreen(ctx context.Context, s *heldSession) error {
	s.show([]byte("\x1bc\x1b[?25l\x1b]0;switchboard source\a"))
	began := time.Now()
	chart := make([]float64, 76)
	for n := 0; ; n++ {
		chart = append(chart[1:], math.Abs(math.Sin(float64(n)/9)*0.6+rand.Float64()*0.4))
		s.show([]byte(drawScreen(time.Now(), time.Since(began), n, chart)))
		if !pause(ctx, s, redraw) {
			return nil
		}
	}
}

func drawScreen(now time.Time, up time.Duration, n int, chart []float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\x1b[H\x1b[1;97;44m  %-40s%36s  \x1b[m", "A source of Switchboard", now.Format("2006-01-02 15:04:05.0"))
	b.WriteString("\x1b[3;3H你好，世界   こんにちは   안녕하세요   Привет   Γειά   é ✓ → █")
	b.WriteString("\x1b[5;3H")
	for x := range 76 {
		r, g, bl := hue(float64(x)/76 + float64(n)/60)
		fmt.Fprintf(&b, "\x1b[48;2;%d;%d;%dm ", r, g, bl)
	}
	b.WriteString("\x1b[m")
	for row := range 8 {
		fmt.Fprintf(&b, "\x1b[%d;3H\x1b[38;5;%dm", 7+row, []int{196, 208, 220, 190, 118, 46, 40, 34}[row])
		for _, v := range chart {
			eighths := int(v*64) - (7-row)*8
			b.WriteRune([]rune(" ▁▂▃▄▅▆▇█")[min(max(eighths, 0), 8)])
		}
	}
	fmt.Fprintf(&b, "\x1b[m\x1b[16;3H%c  here for %-12s", []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[n%10], up.Truncate(time.Second))
	done := n % 50
	fmt.Fprintf(&b, "\x1b[18;3H\x1b[32m%s\x1b[90m%s\x1b[m %3d %%", strings.Repeat("━", done), strings.Repeat("─", 49-done), done*100/49)
	b.WriteString("\x1b[22;3H\x1b[2mA kick, from the console or by \x1b[22;1mswitchboard kick\x1b[22;2m, ends this with code 3.\x1b[m")
	return b.String()
}

// hue is a colour of the circle, of which at is a part of 1.
func hue(at float64) (r, g, b int) {
	part := func(shift float64) int { return int(127.5 + 127.5*math.Cos(2*math.Pi*(at-shift))) }
	return part(0), part(1.0 / 3), part(2.0 / 3)
}

const prompt = "\x1b[1;32mlin@plant\x1b[m:\x1b[1;34m~\x1b[m$ "

// typing is what playTyping's person types, and what is answered.
var typing = []struct{ line, answer string }{
	{"uname -sr", "Linux 6.12.0\r\n"},
	{"ls --color", "\x1b[1;34m报告\x1b[m  \x1b[1;32mdeploy.sh\x1b[m  notes.txt  \x1b[1;34mplant\x1b[m\r\n"},
	{"cat notes.txt", "valve 3: closed\r\n阀门三：已关闭\r\n"},
	{"./deploy.sh plant", "\x1b[33mchecking\x1b[m … ok\r\n\x1b[33mcopying\x1b[m  … ok\r\n\x1b[1;32mdone\x1b[m in 4.2 s\r\n"},
	{"date", ""},
}

// playTyping is a shell at which somebody types: what is typed is streamed beside what is shown.
func playTyping(ctx context.Context, s *heldSession) error {
	s.show([]byte("\x1bc" + prompt))
	for n := 0; ; n++ {
		t := typing[n%len(typing)]
		for _, key := range t.line {
			if !pause(ctx, s, time.Duration(60+rand.IntN(120))*time.Millisecond) {
				return nil
			}
			s.typed([]byte(string(key)))
			s.show([]byte(string(key)))
		}
		answer := t.answer
		if answer == "" {
			answer = time.Now().Format(time.UnixDate) + "\r\n"
		}
		if !pause(ctx, s, 300*time.Millisecond) {
			return nil
		}
		s.typed([]byte("\r"))
		s.show([]byte("\r\n" + answer + prompt))
		if !pause(ctx, s, 2*time.Second) {
			return nil
		}
	}
}

// playLog is a log that goes on.
func playLog(ctx context.Context, s *heldSession) error {
	levels := []string{"\x1b[32mINFO\x1b[m ", "\x1b[32mINFO\x1b[m ", "\x1b[32mINFO\x1b[m ", "\x1b[33mWARN\x1b[m ", "\x1b[31mERROR\x1b[m"}
	said := []string{"pump 2 runs at 1,450 rpm", "temperature=21.5", "meter 17 is read: 4 711 kWh", "温度正常 (21.5 °C)", "line 3 answers after 12 ms"}
	s.show([]byte("\x1bc"))
	for {
		s.show(fmt.Appendf(nil, "\x1b[2m%s\x1b[m %s %s\r\n", time.Now().Format("15:04:05.000"), levels[rand.IntN(len(levels))], said[rand.IntN(len(said))]))
		if !pause(ctx, s, time.Duration(100+rand.IntN(900))*time.Millisecond) {
			return nil
		}
	}
}

// playSizes is a terminal whose window somebody drags to other sizes.
func playSizes(ctx context.Context, s *heldSession) error {
	for n := 0; ; n++ {
		size := []session.Size{{Cols: 80, Rows: 24}, {Cols: 100, Rows: 30}, {Cols: 60, Rows: 16}, {Cols: 132, Rows: 43}}[n%4]
		s.resize(size)
		s.show([]byte(drawSize(size)))
		if !pause(ctx, s, 4*time.Second) {
			return nil
		}
	}
}

func drawSize(size session.Size) string {
	var b strings.Builder
	inner := strings.Repeat("─", size.Cols-2)
	fmt.Fprintf(&b, "\x1b[m\x1b[2J\x1b[H\x1b[36m┌%s┐", inner)
	for y := 2; y < size.Rows; y++ {
		fmt.Fprintf(&b, "\x1b[%d;1H│\x1b[%d;%dH│", y, y, size.Cols)
	}
	fmt.Fprintf(&b, "\x1b[%d;1H└%s┘\x1b[m\x1b[%d;%dH\x1b[1m%s", size.Rows, inner, size.Rows/2, size.Cols/2-3, size)
	return b.String()
}
