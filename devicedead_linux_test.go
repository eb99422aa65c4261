package switchboard_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

// inNamespace runs do in a thread with a network of its own, which ends with it and with the sockets that were made there. do says
// when it is ready.
func inNamespace(t *testing.T, do func(tid int, ready func())) {
	t.Helper()
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		do(unix.Gettid(), func() { failed <- nil })
	}()
	if err := <-failed; err != nil {
		t.Fatalf("a network namespace: %v", err)
	}
}

// ip runs a command of iproute2 in the network of the thread.
func ip(t *testing.T, args string) {
	cmd := exec.Command("ip", strings.Fields(args)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Path, _ = exec.LookPath("ip")
	if cmd.Path == "" {
		cmd.Path = "/usr/sbin/ip"
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", args, err, out)
	}
}

// A device whose network goes away says nothing, no more than the network does. The two ends have networks of their own here, and
// the far one loses its address: what comes for it is dropped there without a word.
func TestADeviceThatVanishesWithoutAWordIsGoneWithinItsBound(t *testing.T) {
	const again = "SWITCHBOARD_TEST_IN_NAMESPACE"
	if os.Getuid() != 0 && os.Getenv(again) == "" {
		cmd := exec.Command("unshare", "-rn", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=3m")
		cmd.Env = append(os.Environ(), again+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
			t.Fatalf("as root of a user namespace: %v: %s", err, out)
		}
		return
	}
	const bound = 6 * time.Second
	var sb *switchboard.Switchboard
	here := 0
	leave, dir := make(chan bool), t.TempDir()
	defer close(leave)
	inNamespace(t, func(tid int, ready func()) {
		ip(t, "link set lo up")
		ip(t, "link add near type veth peer name far")
		ip(t, "addr add 10.99.0.1/24 dev near")
		ip(t, "link set near address 02:00:00:00:00:01 up")
		ip(t, "neigh replace 10.99.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent")
		conf := switchboard.ListenerConfig{Name: "devices", Listen: "tcp://10.99.0.1:0", Service: "device", KeepAlive: "1s",
			Device: &switchboard.DeviceConfig{Frame: frame.FramerSpecs{frame.Named("etung")}, DeadAfter: bound.String()}}
		sb = start(t, dir, conf)
		here = tid
		ready()
		<-leave // the far end's network is made out of this one
	})
	var quiet, talks net.Conn
	vanish, vanished := make(chan bool), make(chan bool)
	inNamespace(t, func(tid int, ready func()) {
		fetch := exec.Command("nsenter", "-t", fmt.Sprint(here), "-n", "ip", "link", "set", "far", "netns", fmt.Sprint(tid))
		if out, err := fetch.CombinedOutput(); err != nil {
			t.Errorf("the far end's interface: %v: %s", err, out)
		}
		ip(t, "addr add 10.99.0.2/24 dev far")
		ip(t, "link set far address 02:00:00:00:00:02 up")
		ip(t, "neigh replace 10.99.0.1 lladdr 02:00:00:00:00:01 dev far nud permanent")
		for i, c := range []*net.Conn{&quiet, &talks} {
			conn, err := net.Dial("tcp", sb.Addr("devices").String())
			if err != nil {
				t.Errorf("dial: %v", err)
				break
			}
			fmt.Fprintf(conn, "ETUNG:95%d\n", i)
			*c = conn
		}
		ready()
		<-vanish
		ip(t, "addr flush dev far")
		close(vanished)
		<-leave
	})
	if t.Failed() {
		t.FailNow()
	}
	live := sessions(t, sb, session.Live, 2)
	for deadline := time.Now().Add(time.Minute); live[0].Name == "" || live[1].Name == ""; live = sessions(t, sb, session.Live, 2) {
		if time.Now().After(deadline) {
			t.Fatal("the devices were not named")
		}
	}
	close(vanish)
	<-vanished
	began := time.Now()
	for _, sum := range live { // to one of them something is on its way
		if sum.Name == "951" {
			if err := sb.Hub().Send(t.Context(), sum.ID, "test", []byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, sum := range sessions(t, sb, session.Recorded, 2) {
		if took := time.Duration(sum.End-began.UnixMicro()) * time.Microsecond; sum.Cause != session.Reset || took > bound+time.Second || took < time.Second {
			t.Errorf("%s ended %s behind it vanished, as %s; want reset within %s", sum.Name, took, sum.Cause, bound)
		} else {
			t.Logf("%s was gone after %s", sum.Name, took)
		}
	}
	if list := sessions(t, sb, session.Live, 0); len(list) != 0 {
		t.Errorf("%d are live", len(list))
	}
	for _, c := range []net.Conn{quiet, talks} {
		c.SetReadDeadline(time.Now())
		if _, err := io.ReadAll(c); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the far end was told: %v", err)
		}
		c.Close()
	}
}
