import Logging

extension Execution {
    /// Carries an outcome out and says what to report.
    func act(on outcome: Outcome, _ handler: Handler, duration: Duration) async -> WorkerEvent.Kind? {
        switch outcome {
        case .suspended: return .suspended(info, duration: duration)
        case .claimLost: return .claimLost(info)
        case .taskCancelled: return .cancelled(info)
        case .stopped: return nil  // Reported when all runs are given back together.
        case .complete(let result): return await complete(result, handler, duration)
        case .fail(let failure): return await fail(failure, handler, duration)
        }
    }

    private var info: RunInfo { context.run.info }

    private func complete(
        _ result: JSONText, _ handler: Handler, _ duration: Duration
    ) async -> WorkerEvent.Kind? {
        let answer = await send(FinishWrite(key: context.run.key, action: .complete(result)))
        return await take(answer, handler, duration)
    }

    /// Completes the run without waiting: the execution is over when the answer comes.
    func complete(_ result: JSONText, _ handler: Handler, _ duration: Duration) {
        session.executions.hold()
        session.writer.finish(FinishWrite(key: context.run.key, action: .complete(result))) { answer in
            if case .success(.done) = answer {
                session.observer.report(.completed(info, duration: duration))
                makeRoom()
            } else {
                // A result that is refused makes a failure, with all that belongs to it.
                session.executions.start(on: HandlerThreads.shared) {
                    let event = await take(stored(answer), handler, duration)
                    if let event { session.observer.report(event) }
                    leave()
                }
            }
            session.executions.release()
        }
    }

    private func take(
        _ answer: FinishAnswer?, _ handler: Handler, _ duration: Duration
    ) async -> WorkerEvent.Kind? {
        switch answer {
        case nil: return nil
        case .done: return .completed(info, duration: duration)
        case .refused(.data(let sqlState, _)):
            let failure = TaskFailure(
                "the database refused the result" + (sqlState.map { " (SQLSTATE \($0))" } ?? ""),
                name: "Rejected")
            return await fail(failure, handler, duration)
        case .refused(let refusal): return ended(by: refusal)
        }
    }

    private func fail(
        _ failure: TaskFailure, _ handler: Handler, _ duration: Duration
    ) async -> WorkerEvent.Kind? {
        if let onError = handler.onError { await callOnError(onError, failure) }
        var answer = await send(failure)
        if case .refused(.data)? = answer {
            // The reason itself cannot be stored, say for a NUL in its text: the failure still must be.
            var plain = TaskFailure("the reason of the failure could not be stored", name: "Failure")
            plain.retry = failure.retry
            answer = await send(plain)
        }
        switch answer {
        case nil: return nil
        case .done(let state):
            return .failed(info, failure, isFinal: state.isTerminal, duration: duration)
        case .refused(let refusal): return ended(by: refusal)
        }
    }

    /// Runs the user's hook, cancelled when the worker stops, so that it holds up no shutdown for longer.
    private func callOnError(_ onError: @escaping Handler.OnError, _ failure: TaskFailure) async {
        let (info, lifecycle) = (info, session.lifecycle)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await onError(failure, info) }
            group.addTask { await lifecycle.reached(.stopping) }
            await group.next()
            group.cancelAll()
        }
    }

    private func send(_ failure: TaskFailure) async -> FinishAnswer? {
        let reason: JSONText
        do {
            reason = try JSONText(encoding: failure.reason)
        } catch {
            // A detail without a JSON form, such as NaN.
            return .refused(.data(sqlState: nil, message: nil))
        }
        return await send(FinishWrite(key: context.run.key, action: .fail(reason, retry: failure.retry)))
    }

    func ended(by refusal: Refusal) -> WorkerEvent.Kind? {
        // A stopping worker has given the run back and reported that.
        if context.phase == .ended(.stopping) { return nil }
        return refusal == .cancelled ? .cancelled(info) : .claimLost(info)
    }

    /// Sends a last write; nil when the database would not take it, and the run waits for its claim to expire.
    func send(_ write: FinishWrite) async -> FinishAnswer? {
        do {
            return stored(.success(try await session.writer.finish(write)))
        } catch {
            return stored(.failure(error))
        }
    }

    private func stored(_ answer: Result<FinishAnswer, any Error>) -> FinishAnswer? {
        switch answer {
        case .success(let answer): return answer
        case .failure(let error):
            context.logger.info(
                "the end of the run could not be stored; it is taken over when its claim expires",
                metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Puts a task without a handler here off for 15 to 30 seconds: during a rolling deploy another worker has it.
    func deferUnknown() async {
        let delay = Duration.seconds(Double.random(in: 15...30))
        let write = FinishWrite(key: context.run.key, action: .sleep(until: .after(delay), checkpoint: nil))
        switch await send(write) {
        case .done?: session.observer.report(.deferred(info, delay: delay))
        case .refused(let refusal)?:
            if let event = ended(by: refusal) { session.observer.report(event) }
        case nil: break
        }
    }
}
