// The recorder's tests.
