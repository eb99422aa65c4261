package fleet

// Caught is closed when what a process before left is brought up to date.
func (f *Fleets) Caught() <-chan struct{} { return f.store.caught }
