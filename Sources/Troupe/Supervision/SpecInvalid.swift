//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// Everything that is wrong with a specification; nothing was started.
///
/// - Source: the `start_spec` and `supervisor_data` errors of OTP's `supervisor`, which name the
///   first mistake only.
public struct SpecInvalid: Error, Sendable, Hashable, CustomStringConvertible {
    /// The mistakes, in the order of the specification, at least one.
    public let mistakes: [SpecMistake]

    /// One line for each.
    public var description: String {
        "the specification is not valid: " + mistakes.map(\.description).joined(separator: "; ")
    }
}

/// Something that is wrong with a specification.
public struct SpecMistake: Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    @nonexhaustive
    public enum Kind: Sendable, Hashable {
        /// An id is the empty string.
        case idEmpty
        /// Two children have this id.
        case idTaken(String)
        /// Two processes are to register this name.
        case nameTaken(String)
        /// A name has 1 to 255 Unicode scalars.
        case nameInvalid(String)
        /// A mailbox holds 1 to 2³¹ − 1 messages.
        case mailboxCapacityInvalid(Int)
        /// The count of a restart limit is negative, or its period not longer than zero.
        case limitInvalid(RestartLimit)
        /// A shutdown timeout, a grace period or a time to be stuck is negative.
        case durationNegative(Duration)
        /// A delay, factor or jitter of a back-off is out of its range.
        case backoffInvalid(RestartBackoff)
        /// A significant child cannot be permanent: such an end is always repaired.
        case significantPermanent
        /// A significant child needs a supervisor with automatic shutdown.
        case significantWithoutAutoShutdown
        /// A supervisor of this kind has between one and so many partitions.
        case partitionCountInvalid(Int)
        /// A supervisor of this kind needs a name.
        case nameMissing
        /// The limit for the number of children is negative.
        case childCountInvalid(Int)
        /// A pool has at least one worker, at most.
        case workerCountInvalid(ClosedRange<Int>)
        /// As many requests as this cannot wait.
        case queueCapacityInvalid(Int)
        /// A request cannot be done again so often.
        case retryCountInvalid(Int)
    }

    /// Where: the ids from the outermost supervisor to the child; empty for the supervisor itself.
    public let path: [String]
    /// What is wrong there.
    public let kind: Kind

    /// Where, and what to do about it.
    public var description: String {
        (path.isEmpty ? "supervisor" : "child \"\(path.joined(separator: "/"))\"") + ": "
            + kind.text
    }
}

extension SpecMistake.Kind {
    fileprivate var text: String {
        switch self {
        case .idEmpty: "the id is empty"
        case .idTaken(let id): "another child has the id \"\(id)\""
        case .nameTaken(let name): "another child is to have the name \"\(name)\""
        case .nameInvalid(let name): RegistryError.nameInvalid(name).description
        case .mailboxCapacityInvalid(let capacity):
            SpawnError.mailboxCapacityInvalid(capacity).description
        case .limitInvalid(let limit):
            "\(limit.count) restarts within \(limit.period) is no limit; "
                + "the count is at least 0, the period longer than zero"
        case .durationNegative(let duration): "a duration is negative: \(duration)"
        case .backoffInvalid(let backoff):
            "from \(backoff.initial) up to \(backoff.maximum), factor \(backoff.factor), jitter "
                + "\(backoff.jitter), reset after \(backoff.resetAfter) is no back-off"
        case .significantPermanent:
            "a significant child cannot be permanent; make it transient or temporary"
        case .significantWithoutAutoShutdown:
            "a significant child needs a supervisor whose autoShutdown is not never"
        case .partitionCountInvalid(let count): "\(count) partitions; there is at least 1"
        case .nameMissing: "it needs a name, by which its partitions are found"
        case .childCountInvalid(let count): "at most \(count) children is no limit"
        case .workerCountInvalid(let counts):
            "\(counts.lowerBound) to \(counts.upperBound) workers; there has to be room for 1"
        case .queueCapacityInvalid(let capacity): "a queue cannot hold \(capacity) requests"
        case .retryCountInvalid(let count): "a request cannot be done again \(count) times"
        }
    }
}

extension SupervisorSpec {
    /// Everything that is wrong with it and with the supervisors in it; empty when nothing is.
    public var mistakes: [SpecMistake] {
        var check = SpecCheck()
        check.visit(self, path: [])
        return check.mistakes
    }

    /// Throws if anything is wrong with it or with the supervisors in it.
    ///
    /// A supervisor checks its specification before it starts anything. OTP:
    /// `supervisor:check_childspecs/1`.
    public func check() throws(SpecInvalid) {
        let mistakes = mistakes
        if !mistakes.isEmpty { throw SpecInvalid(mistakes: mistakes) }
    }
}

extension ChildSpec {
    /// Everything that is wrong with it as a child of such a supervisor.
    func mistakes(under autoShutdown: AutoShutdown) -> [SpecMistake] {
        var check = SpecCheck()
        check.visit(self, autoShutdown, path: [id])
        return check.mistakes
    }
}

/// Walks through a tree of specifications.
private struct SpecCheck {
    var mistakes: [SpecMistake] = []
    private var names: Set<String> = []

    private mutating func note(_ kind: SpecMistake.Kind, _ path: [String], if isWrong: Bool) {
        if isWrong { mistakes.append(SpecMistake(path: path, kind: kind)) }
    }

    mutating func visit(_ spec: SupervisorSpec, path: [String]) {
        visit(spec.limit, path)
        if let stuckAfter = spec.stuckAfter {
            note(.durationNegative(stuckAfter), path, if: stuckAfter <= .zero)
        }
        note(.durationNegative(spec.killGrace), path, if: spec.killGrace < .zero)
        var ids: Set<String> = []
        for child in spec.children {
            let isNew = ids.insert(child.id).inserted
            note(.idTaken(child.id), path + [child.id], if: !isNew)
            visit(child, spec.autoShutdown, path: path + [child.id])
        }
    }

    mutating func visit(_ child: ChildSpec, _ autoShutdown: AutoShutdown, path: [String]) {
        note(.idEmpty, path, if: child.id.isEmpty)
        if case .timeout(let limit) = child.shutdown {
            note(.durationNegative(limit), path, if: limit < .zero)
        }
        if child.isSignificant {
            note(.significantPermanent, path, if: child.restart == .permanent)
            note(.significantWithoutAutoShutdown, path, if: autoShutdown == .never)
        }
        if let budget = child.recovery.budget { visit(budget, path) }
        if let backoff = child.recovery.backoff {
            note(.backoffInvalid(backoff), path, if: !backoff.isValid)
        }
        if let options = child.options { visit(options, path) }
        for mistake in child.ownMistakes { note(mistake, path, if: true) }
        if let children = child.children { visit(children, path: path) }
    }

    private mutating func visit(_ limit: RestartLimit, _ path: [String]) {
        note(.limitInvalid(limit), path, if: limit.count < 0 || limit.period <= .zero)
    }

    private mutating func visit(_ options: ProcessOptions, _ path: [String]) {
        let capacity = options.mailbox.capacity
        note(
            .mailboxCapacityInvalid(capacity), path,
            if: !MailboxOptions.capacityRange.contains(capacity))
        if let name = options.name {
            note(.nameInvalid(name), path, if: !NameRegistry.isValid(name))
            let isNew = names.insert(name).inserted
            note(.nameTaken(name), path, if: !isNew)
        }
    }
}

extension RestartBackoff {
    fileprivate var isValid: Bool {
        initial > .zero && maximum >= initial && (1...100).contains(factor)
            && (0...1).contains(jitter) && resetAfter > .zero
    }
}
