public import Absurd
// The conformances of public types are public themselves.
public import ArgumentParser

extension TaskState: ExpressibleByArgument {}
extension StorageMode: ExpressibleByArgument {}
extension QueuePolicy.DefaultPartition: ExpressibleByArgument {}
extension QueuePolicy.DetachMode: ExpressibleByArgument {}
