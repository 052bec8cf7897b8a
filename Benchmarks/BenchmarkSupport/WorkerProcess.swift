package import Foundation

/// A running `MeasuredWorker`.
package final class WorkerProcess: Sendable {
    package let lines: AsyncStream<String>
    /// What it calls itself in `claimed_by`.
    package let workerID: String
    private let process: Process
    private let input: FileHandle

    package static func start(_ workload: String, queue: String, _ database: PrivateDatabase) async throws
        -> WorkerProcess
    {
        try await start(workload, queue: queue, on: database.connectionString)
    }

    /// Starts a worker of a database and returns when it is about to claim.
    ///
    /// - Parameter log: where its standard error goes; to ours when there is none.
    package static func start(
        _ workload: String, queue: String, on connectionString: String, log: FileHandle? = nil
    ) async throws -> WorkerProcess {
        let process = Process()
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        process.executableURL = program.appending(path: "MeasuredWorker")
        process.arguments = [workload, queue]
        var environment = ProcessInfo.processInfo.environment
        environment["ABSURD_DATABASE_URL"] = connectionString
        process.environment = environment
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        if let log { process.standardError = log }
        let lines = lines(of: output.fileHandleForReading)
        try process.run()
        for await line in lines {
            guard line.hasPrefix("ready ") else { continue }
            return WorkerProcess(
                process, input: input.fileHandleForWriting, lines: lines, workerID: String(line.dropFirst(6)))
        }
        throw MeasurementError("a worker ended before it was ready")
    }

    private init(_ process: Process, input: FileHandle, lines: AsyncStream<String>, workerID: String) {
        self.process = process
        self.input = input
        self.lines = lines
        self.workerID = workerID
    }

    package var processID: Int32 { process.processIdentifier }

    package func send(_ line: String) throws {
        try input.write(contentsOf: Data((line + "\n").utf8))
    }

    /// The rest of the next line that begins with a word.
    package func answer(_ word: String) async throws -> String {
        for await line in lines where line.hasPrefix(word + " ") {
            return String(line.dropFirst(word.count + 1))
        }
        throw MeasurementError("a worker ended instead of answering '\(word)'")
    }

    /// `kill -9`.
    package func kill() {
        Foundation.kill(processID, SIGKILL)
        process.waitUntilExit()
        try? input.close()  // Nobody is left to read.
    }

    package var isAlive: Bool { process.isRunning }

    /// How it ended; nil while it is alive.
    package var end: End? {
        guard !process.isRunning else { return nil }
        return End(isSignal: process.terminationReason == .uncaughtSignal, status: process.terminationStatus)
    }

    /// The end of a process: its exit status, or the signal that ended it.
    package struct End: Sendable, CustomStringConvertible {
        let isSignal: Bool
        let status: Int32

        /// What a graceful stop comes to.
        package var isClean: Bool { !isSignal && status == 0 }
        package var description: String { isSignal ? "signal \(status)" : "exit status \(status)" }
    }

    /// Stops its threads, without anybody being told (SIGSTOP), or has them go on.
    package func pause() { Foundation.kill(processID, SIGSTOP) }
    package func resume() { Foundation.kill(processID, SIGCONT) }

    /// SIGTERM.
    package func terminate() { Foundation.kill(processID, SIGTERM) }

    /// Waits for its end; its exit status, or the number of the signal that ended it, negative.
    package func exit() async -> Int32 {
        for await _ in lines {}
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// Ends its input, which stops it gracefully.
    package func endInput() throws { try input.close() }

    /// Ends its input, which stops it gracefully, and waits for that.
    package func stop() async throws {
        try input.close()
        for await _ in lines {}
        process.waitUntilExit()
    }

    private static func lines(of handle: FileHandle) -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let pending = PendingLine()
        handle.readabilityHandler = { handle in
            let data = handle.availableData
            guard !data.isEmpty else {
                handle.readabilityHandler = nil
                continuation.finish()
                return
            }
            for line in pending.append(data) { continuation.yield(line) }
        }
        return stream
    }
}

/// Cuts a stream of bytes into lines.
private final class PendingLine: @unchecked Sendable {
    // Touched by the readability handler only, which is called for one piece of data after the other.
    private var bytes = Data()

    func append(_ data: Data) -> [String] {
        bytes.append(data)
        var lines: [String] = []
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(String(decoding: bytes[bytes.startIndex..<end], as: UTF8.self))
            bytes.removeSubrange(bytes.startIndex...end)
        }
        return lines
    }
}
