// Bytes that are wrong behind good checksums, as a bug would write them: each is found for what it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "faster/core/checksum.h"
#include "faster/cpr/checkpoint_log.h"
#include "faster/cpr/index_data.h"
#include "faster/cpr/recovery.h"
#include "tests/inspect/inspected.h"
#include "tests/store/variable_store.h"

namespace faster {
namespace {

template <class Store>
class Sealed {
 public:
  explicit Sealed(Store* store) : storage_(store->storage()), token_(store->last_token()) {
    Diagnosis why;
    EXPECT_EQ(ReadMetadata(storage_, "", token_, &log_, &why), Status::kOk) << why.Text();
    EXPECT_EQ(ReadMetadata(storage_, "", token_, &index_, &why), Status::kOk) << why.Text();
  }
  LogMetadata& log() { return log_; }
  IndexMetadata& index() { return index_; }

  // Addresses of live records, ascending.
  std::vector<LogAddress> Records() {
    std::vector<LogAddress> found;
    std::vector<uint8_t> bytes(log_.block_bytes);
    SegmentedFile file(&storage_, "", SegmentBytes(), 4);
    for (LogAddress block = log_.begin_address; block < log_.final_address; block += log_.block_bytes) {
      EXPECT_EQ(file.Read(block, bytes.data(), bytes.size()), Status::kOk);
      EXPECT_EQ(ForEachRecord(block, bytes.data(), bytes.size(), RecordForm(log_).sizes(),
                              [&](LogAddress at, uint8_t*, RecordHeader header) {
                                if (!header.invalid()) found.push_back(at);
                              }),
                Status::kOk);
    }
    return found;
  }
  // Changes the words of the record at `at` and seals its block again.
  uint64_t Edit(LogAddress at, const std::function<void(uint64_t* words)>& edit) {
    const LogAddress block = at & ~LogAddress{log_.block_bytes - 1};
    std::vector<uint64_t> words(log_.block_bytes / 8);
    SegmentedFile file(&storage_, "", SegmentBytes(), 4);
    EXPECT_EQ(file.Read(block, words.data(), log_.block_bytes), Status::kOk);
    const uint64_t before = words[(at - block) / 8];
    edit(&words[(at - block) / 8]);
    words[0] = BlockChecksum(words.data(), log_.block_bytes, block, GenerationAt(log_.generations, block));
    EXPECT_EQ(file.Write(block, words.data(), log_.block_bytes), Status::kOk);
    return before;
  }
  // Changes the words of index.dat and writes it anew, with its text.
  void EditIndex(const std::function<void(std::vector<uint64_t>* words)>& edit) {
    const std::string path = CheckpointPath("", token_, kIndexDataName);
    std::vector<uint64_t> words;
    {
      std::unique_ptr<File> file;
      ASSERT_EQ(storage_.Open(path, OpenMode::kRead, &file), Status::kOk);
      IndexDataReader reader(file.get(), path, index_);
      Diagnosis why;
      ASSERT_EQ(reader.Open(&why), Status::kOk);
      std::vector<uint64_t> block(kIndexBlockWords + 1);
      for (uint64_t i = 0; i < reader.blocks(); ++i) {
        ASSERT_EQ(reader.ReadBlock(i, block.data(), &why), Status::kOk);
        words.insert(words.end(), block.begin(), block.begin() + reader.WordsIn(i));
      }
    }
    edit(&words);
    std::unique_ptr<File> file;
    ASSERT_EQ(storage_.Open(path, OpenMode::kTruncate, &file), Status::kOk);
    IndexDataWriter writer(file.get(), token_, index_.table_size);
    for (const uint64_t word : words) {
      pending_.push_back(word);
      if (pending_.size() < kIndexBucketWords) continue;
      std::copy(pending_.begin(), pending_.end(), writer.Room().begin());
      ASSERT_EQ(writer.Took(pending_.size()), Status::kOk);
      pending_.clear();
    }
    ASSERT_EQ(writer.Finish(&index_.overflow_buckets, &index_.data_bytes, &index_.data_checksum),
              Status::kOk);
    Diagnosis why;
    ASSERT_EQ(WriteMetadata(storage_, "", index_, &why), Status::kOk) << why.Text();
  }

  // A finding is of this kind and says this, and none of a kind that comes before; with the hash of the store
  // or without.
  void Expect(Check check, const std::string& says, bool without_hash = true) {
    for (const char* const hash : {"test", "none"}) {
      CheckpointReport report;
      Diagnosis why;
      const Status status = ValidateCheckpoint(&storage_, "", token_, TestOptions(1, hash), &report, &why);
      if (!without_hash && hash == std::string("none")) {
        EXPECT_EQ(status, Status::kOk) << TextOf(report);
        continue;
      }
      ASSERT_EQ(status, Status::kCorruption) << hash;
      EXPECT_EQ(report.findings.front().check, check) << TextOf(report);
      const bool said = std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& one) {
        return one.check == check && one.what.Text().find(says) != std::string::npos;
      });
      EXPECT_TRUE(said) << says << " is not in " << TextOf(report);
    }
  }

 private:
  uint64_t SegmentBytes() const { return uint64_t{log_.segment_pages} << log_.page_bits; }

  Storage& storage_;
  const Token token_;
  LogMetadata log_;
  IndexMetadata index_;
  std::vector<uint64_t> pending_;
};

// Chains of some length, all of it below the replay.
class SealedStore : public ::testing::Test {
 protected:
  SealedStore() {
    auto session = store_.kv().StartSession();
    for (uint64_t i = 0; i < 300; ++i) store_.Rmw(*session, i % 90, i + 1);
    session.reset();
    EXPECT_EQ(store_.Checkpoint(kFullFold), Status::kOk);
    store_.Close();
    sealed_.emplace(&store_);
    records_ = sealed_->Records();
  }
  // A record with a link, in the middle of the log.
  LogAddress Linked() {
    for (size_t i = records_.size() / 2; i < records_.size(); ++i) {
      RecordHeader header;
      sealed_->Edit(records_[i], [&](uint64_t* words) { header.control = words[0]; });
      if (header.previous() != 0) return records_[i];
    }
    ADD_FAILURE() << "no chains";
    return 0;
  }
  static void SetPrevious(uint64_t* word, LogAddress to) { *word = (*word & ~kAddressMask) | to; }

  TestStore store_;
  std::optional<Sealed<TestStore>> sealed_;
  std::vector<LogAddress> records_;
};

TEST_F(SealedStore, IsSoundWithoutAChange) {
  sealed_->Edit(records_[5], [](uint64_t*) {});
  sealed_->EditIndex([](std::vector<uint64_t>*) {});
  ExpectAllSound(store_.storage());
}

TEST_F(SealedStore, ALinkThatIsCut) {
  LogAddress lost = 0;
  sealed_->Edit(Linked(), [&](uint64_t* words) {
    lost = RecordHeader{words[0]}.previous();
    SetPrevious(words, 0);
  });
  sealed_->Expect(Check::kReach, "address " + std::to_string(lost));
}

TEST_F(SealedStore, ALinkThatSkipsARecord) {
  const LogAddress at = Linked();
  LogAddress lost = 0, next = 0;
  sealed_->Edit(at, [&](uint64_t* words) { lost = RecordHeader{words[0]}.previous(); });
  sealed_->Edit(lost, [&](uint64_t* words) { next = RecordHeader{words[0]}.previous(); });
  sealed_->Edit(at, [&](uint64_t* words) { SetPrevious(words, next); });
  sealed_->Expect(Check::kReach, "address " + std::to_string(lost));
}

TEST_F(SealedStore, ALinkThatLeadsUp) {
  sealed_->Edit(Linked(), [&](uint64_t* words) { SetPrevious(words, records_.back()); });
  sealed_->Expect(Check::kChain, "expected a link to a record below");
}

TEST_F(SealedStore, ALinkIntoTheMiddleOfARecord) {
  const LogAddress into = records_[3] + 8;
  sealed_->Edit(Linked(), [&](uint64_t* words) { SetPrevious(words, into); });
  sealed_->Expect(Check::kChain, "found none (address " + std::to_string(into) + ")");
}

TEST_F(SealedStore, ALinkedRecordThatIsInvalid) {
  sealed_->Edit(records_[4], [](uint64_t* words) { words[0] |= RecordHeader::kInvalid; });
  sealed_->Expect(Check::kChain, "one that never got its place (address " + std::to_string(records_[4]));
}

TEST_F(SealedStore, ARecordOfAVersionToCome) {
  sealed_->Edit(records_[7], [](uint64_t* words) { words[0] |= uint64_t{7} << 48; });
  sealed_->Expect(Check::kVersion, "found one of version 7");
}

TEST_F(SealedStore, AnEntryThatIsGone) {
  LogAddress lost = 0;
  sealed_->EditIndex([&](std::vector<uint64_t>* words) {
    for (size_t i = 0; i < words->size() && lost == 0; ++i) {
      if (i % kIndexBucketWords == 7 || (*words)[i] == 0) continue;
      lost = HashEntry{(*words)[i]}.address();
      (*words)[i] = 0;
    }
    --sealed_->index().entries;
  });
  sealed_->Expect(Check::kReach, "address " + std::to_string(lost));
}

TEST_F(SealedStore, AnEntryThatLeadsToNoRecord) {
  const LogAddress into = records_[9] + 8;
  sealed_->EditIndex([&](std::vector<uint64_t>* words) { (*words)[0] = HashEntry::Make(into, 3).control; });
  sealed_->Expect(Check::kChain, "found none (address " + std::to_string(into) + ")");
}

TEST_F(SealedStore, AnEntryBeyondTheEnd) {
  sealed_->EditIndex([&](std::vector<uint64_t>* words) {
    (*words)[0] = HashEntry::Make(sealed_->log().final_address + 8, 3).control;
  });
  sealed_->Expect(Check::kStructure, "expected an entry that leads to a record below");
}

TEST_F(SealedStore, ATagTwiceInABucket) {
  sealed_->EditIndex([&](std::vector<uint64_t>* words) { (*words)[1] = (*words)[0]; });
  sealed_->Expect(Check::kStructure, "expected a tag that the bucket has once");
}

TEST_F(SealedStore, ANumberOfEntriesThatIsWrong) {
  const std::string counted = std::to_string(sealed_->index().entries);
  sealed_->EditIndex([&](std::vector<uint64_t>*) { ++sealed_->index().entries; });
  sealed_->Expect(Check::kStructure, "found " + counted);
}

// Two chains exchanged: every record is led to by something, but not by its own chain's entry.
TEST_F(SealedStore, AnEntryOfAnotherChain) {
  sealed_->EditIndex([&](std::vector<uint64_t>* words) {
    size_t one = words->size();
    for (size_t i = 0; i < words->size(); ++i) {
      if (i % kIndexBucketWords == 7 || (*words)[i] == 0) continue;
      if (one == words->size()) {
        one = i;
        continue;
      }
      const HashEntry a{(*words)[one]}, b{(*words)[i]};
      (*words)[one] = a.WithAddress(b.address()).control;
      (*words)[i] = b.WithAddress(a.address()).control;
      return;
    }
  });
  sealed_->Expect(Check::kReach, "address ", false);
}

// Without an index all is replayed, and only the hash tells that a record is in no chain.
TEST(Sealed, ALinkThatIsCutInALogWithoutIndex) {
  TestStore store;
  auto session = store.kv().StartSession();
  for (uint64_t i = 0; i < 500; ++i) store.Rmw(*session, i % 90, 1);
  session.reset();
  ASSERT_EQ(store.Checkpoint(kFullFold), Status::kOk);
  store.Close();
  Sealed<TestStore> sealed(&store);
  ASSERT_EQ(store.storage().Remove(CheckpointPath("", store.last_token(), kIndexMetaName)), Status::kOk);
  const std::vector<LogAddress> records = sealed.Records();
  for (size_t i = records.size(); i-- > 0;) {
    LogAddress lost = 0;
    sealed.Edit(records[i], [&](uint64_t* words) {
      lost = RecordHeader{words[0]}.previous();
      words[0] &= ~kAddressMask;
    });
    if (lost == 0) continue;
    sealed.Expect(Check::kReach, "address " + std::to_string(lost), false);
    return;
  }
  FAIL() << "no chains";
}

TEST(Sealed, RecordsOfAnyLengthThatDoNotFit) {
  VariableStore store;
  auto session = store.kv().StartSession();
  for (int i = 0; i < 60; ++i)
    ASSERT_EQ(store.Upsert(*session, "key " + std::to_string(i), std::string(i % 20, 'v')), Status::kOk);
  session.reset();
  ASSERT_EQ(store.Checkpoint(kFullFold), Status::kOk);
  store.Close();
  Sealed<VariableStore> sealed(&store);
  const std::vector<LogAddress> records = sealed.Records();
  CheckpointReport report;
  Diagnosis why;
  sealed.Edit(records[5], [](uint64_t* words) { words[1] |= VariableRecord::kLocked; });
  ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, {}, &report, &why), Status::kCorruption);
  EXPECT_EQ(report.findings[0].what.found, "a locked one (address " + std::to_string(records[5]) + ")");
  sealed.Edit(records[5], [](uint64_t* words) {
    words[1] &= ~VariableRecord::kLocked;
    words[2] += uint64_t{1000} << 32;  // words of room
  });
  ASSERT_EQ(ValidateCheckpoint(&store.storage(), "", {}, {}, &report, &why), Status::kCorruption);
  EXPECT_EQ(report.findings[0].check, Check::kStructure);
  EXPECT_EQ(report.findings[0].what.expected, "records that end in their block");
}

}  // namespace
}  // namespace faster
