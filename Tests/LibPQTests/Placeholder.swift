// Filled by the tests of this target.
